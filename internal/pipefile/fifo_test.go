//go:build unix

package pipefile

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Opening a pipe would wait until a user writes to it.
func TestReadRefusesPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe.yaml")
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, nil); err == nil || !strings.HasSuffix(err.Error(), "this is not a regular file: write its content to one") {
		t.Errorf("Read gives %v", err)
	}
}
