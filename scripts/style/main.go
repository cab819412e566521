// Style checks what gofmt and staticcheck do not: the width of comments, paragraphs in function
// bodies, the size of types, and phrases that a reader has to read twice. `make lint` runs it;
// CONTRIBUTING.md explains the rules.
//
//	go run ./scripts/style [-stats] [folder]
//
// It prints one line per finding and exits with 1 if there are any. With -stats it prints the
// figures as well.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Limits of the rules.
const (
	maxCommentWidth = 100 // columns; a tab counts as four
	maxUnbroken     = 20  // lines of a function body without a blank one
	maxMethods      = 25  // of one type
	maxFields       = 15  // of one struct, embedded ones included
	minBlankShare   = 5.0 // per cent of the lines in function bodies that are blank
	minCommentShare = 4.0 // the same for comments
)

func main() {
	stats := flag.Bool("stats", false, "print the figures as well")
	flag.Parse()
	root := cmp.Or(flag.Arg(0), ".")

	report, err := check(os.DirFS(root))
	if err != nil {
		fmt.Fprintln(os.Stderr, "style:", err)
		os.Exit(2)
	}

	for _, finding := range report.findings {
		fmt.Println(finding)
	}

	if *stats {
		fmt.Println(report.figures)
	}

	if len(report.findings) > 0 {
		fmt.Fprintf(os.Stderr, "style: %d findings; CONTRIBUTING.md explains the rules\n", len(report.findings))
		os.Exit(1)
	}
}

// report is what was found in a module.
type report struct {
	findings []string
	figures
}

func (r *report) add(file string, line int, format string, args ...any) {
	r.findings = append(r.findings, fmt.Sprintf("%s:%d: %s", file, line, fmt.Sprintf(format, args...)))
}

// check reads the Go files, Markdown files and pipeline files of a repository. Nested modules are
// read too: their readers are the same. Test data is left out.
func check(root fs.FS) (*report, error) {
	r := new(report)
	sizes := make(map[string]*typeSize)

	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}

		if d.IsDir() {
			if name != "." && skipped(name) {
				return fs.SkipDir
			}
			return nil
		}

		return r.file(root, name, sizes)
	})
	if err != nil {
		return nil, err
	}

	r.checkSizes(sizes)
	r.checkShares()
	return r, nil
}

// skipped reports whether a folder has nothing that people of this project wrote.
func skipped(folder string) bool {
	base := path.Base(folder)
	return base == "testdata" || base == "bin" || base[0] == '.' && base != ".github"
}

func (r *report) file(root fs.FS, name string, sizes map[string]*typeSize) error {
	ext := path.Ext(name)
	if !slices.Contains([]string{".go", ".md", ".yaml", ".yml", ".lua"}, ext) {
		return nil
	}

	text, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}

	// This package quotes the phrases. Tests quote what users and other programs write.
	if !strings.HasPrefix(name, "scripts/style/") && !strings.HasSuffix(name, "_test.go") {
		r.checkPhrases(name, string(text))
	}

	if ext != ".go" {
		return nil
	}

	return r.checkGo(name, text, sizes)
}
