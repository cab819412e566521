//go:build unix

package tasks

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestAProgramThatWasMovedIsFound(t *testing.T) {
	one, other := t.TempDir(), t.TempDir()
	t.Setenv("PATH", one+string(os.PathListSeparator)+other)
	from, to := filepath.Join(one, "moving"), filepath.Join(other, "moving")
	if err := os.WriteFile(from, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	expect := func(want string, wantErr error) {
		t.Helper()
		if got, err := onPath.find("moving"); got != want || !errors.Is(err, wantErr) {
			t.Fatalf("found %q, %v; want %q, %v", got, err, want, wantErr)
		}
	}
	expect(from, nil)
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	expect(to, nil)
	if err := os.Remove(to); err != nil {
		t.Fatal(err)
	}
	expect("", exec.ErrNotFound)
}
