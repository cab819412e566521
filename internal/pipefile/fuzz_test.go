package pipefile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/godags/godags/internal/spec"
)

func FuzzYAML(f *testing.F) { fuzz(f, "p.yaml") }

func FuzzJSON(f *testing.F) { fuzz(f, "p.json") }

// fuzz begins with the files of the golden tests.
func fuzz(f *testing.F, name string) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range archives {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range parseArchive(data).files {
			if filepath.Ext(file.name) == filepath.Ext(name) {
				f.Add([]byte(file.content))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sp, err := Parse(name, data, known{})
		if (sp == nil) == (err == nil) {
			t.Fatalf("Parse gives %v and %v", sp, err)
		}
		if err != nil {
			checkError(t, data, err)
			return
		}
		encoded, err := sp.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := spec.Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := back.Encode(); err != nil || !bytes.Equal(again, encoded) {
			t.Fatalf("%v: what is submitted is\n%s, and not\n%s", err, describe(back), describe(sp))
		}
	})
}
