// Package scripttest plays text scripts as tests.
//
// A script has cases. A case begins with lines that contain a colon and define what it is about.
// Steps follow, one a line. Below each step are the lines that it prints, indented by two spaces.
// Empty lines and lines that begin with # are comments.
//
// Run `go test ./PACKAGE -run Scripts -update` to write what the steps print now into the scripts.
package scripttest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the scripts in testdata print into them")

// Case is a case that is being played. Place is the file and line, for messages.
type Case interface {
	// Define reads a line that defines the case.
	Define(place, line string)
	// Step plays a step and returns the lines that it prints.
	Step(place, line string) []string
}

// Run plays each script whose path matches a pattern, in a subtest with the name of its file.
func Run(t *testing.T, pattern string, newCase func(*testing.T) Case) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts match %s: %v", pattern, err)
	}

	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}

			got := play(file, string(text), func() Case { return newCase(t) })
			if !*update {
				compare(t, file, got, string(text))
				return
			}

			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// play returns the text with what its steps print now.
func play(file, text string, newCase func() Case) string {
	var out strings.Builder
	c := newCase()
	begun := false
	for i, line := range strings.SplitAfter(text, "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}

		out.WriteString(line)
		bare := strings.TrimSpace(line)
		place := fmt.Sprintf("%s:%d", file, i+1)
		switch {
		case bare == "" || strings.HasPrefix(bare, "#"):
		case strings.Contains(bare, ":"):
			if begun {
				c = newCase()
				begun = false
			}
			c.Define(place, bare)

		default:
			begun = true
			for _, printed := range c.Step(place, bare) {
				out.WriteString("  " + printed + "\n")
			}
		}
	}

	return out.String()
}

// compare reports the first line that differs: those after it most likely follow from it.
func compare(t *testing.T, file, got, want string) {
	t.Helper()
	g := strings.Split(got, "\n")
	w := strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s:%d: got %q, want %q (run with -update if the new text is right)", file, i+1, g[i], w[i])
		}
	}

	if len(g) != len(w) {
		t.Fatalf("%s: got %d lines, want %d", file, len(g), len(w))
	}
}
