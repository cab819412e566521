package cache

import (
	"path/filepath"
	"slices"
	"testing"
)

// A folder whose name is lost in a crash takes with it all that was put.
func TestDisk_SyncsTheFoldersAboveNewOnes(t *testing.T) {
	there := t.TempDir()
	var synced []string
	sync := func(path string) error {
		synced = append(synced, path)
		return syncFolder(path)
	}
	folder := filepath.Join(there, "state", "values", "run")
	if err := makeFolder(folder, sync); err != nil {
		t.Fatal(err)
	}
	want := []string{there, filepath.Join(there, "state"), filepath.Join(there, "state", "values")}
	if !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
	synced = nil
	if err := makeFolder(folder, sync); err != nil || !slices.Equal(synced, want[2:]) {
		t.Errorf("a folder that is there: synced %q, %v", synced, err)
	}
}
