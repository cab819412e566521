package owned

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMakeFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "state")
	for _, wantMade := range []bool{true, false} {
		got, made, err := MakeFolder(path)
		if got != path || made != wantMade || err != nil {
			t.Errorf("got %s, made %v, %v; want %s, made %v", got, made, err, path, wantMade)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v; want mode 0700", info, err)
	}
}

func TestMakeFolder_FollowsALinkOfOurs(t *testing.T) {
	target, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Chmod(target, 0o700), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	if got, _, err := MakeFolder(link); got != target || err != nil {
		t.Errorf("got %s, %v; want %s", got, err, target)
	}
}

func TestMakeFolder_RefusesWhatOthersCanWriteTo(t *testing.T) {
	folder := t.TempDir()
	for _, mode := range []fs.FileMode{0o720, 0o702, 0o777} {
		if err := os.Chmod(folder, mode); err != nil {
			t.Fatal(err)
		}
		if _, _, err := MakeFolder(folder); err == nil || !strings.Contains(err.Error(), "chmod go-w "+folder) {
			t.Errorf("mode %v: %v, want the command that mends it", mode, err)
		}
	}
}

func TestMakeFolder_RefusesAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "state")} {
		if _, _, err := MakeFolder(path); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want an error that names the file", path, err)
		}
	}
}

func TestCheckFolder_RefusesAnotherUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be two users")
	}
	folder, target, link := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "link")
	err := errors.Join(os.Chmod(folder, 0o700), os.Chown(folder, 12345, 0), os.Symlink(target, link), os.Lchown(link, 12345, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, link} {
		if err := CheckFolder(path); err == nil || !strings.Contains(err.Error(), path+" belongs to user 12345 and not to user root") {
			t.Errorf("%s: %v, want an error that names both users", path, err)
		}
	}
}
