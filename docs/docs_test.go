// Package docs_test keeps the pages true: their links, commands, flags, pipelines and Go code.
package docs_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/godags/godags/internal/cli"
)

const root = ".."

// pages returns the text of all pages of the repository by path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if path != root && strings.HasPrefix(filepath.Base(path), ".") {
				return fs.SkipDir
			}
			return err
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		name, relErr := filepath.Rel(root, path)
		if err == nil {
			err = relErr
		}
		found[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 6 {
		t.Fatalf("found only %d pages", len(found))
	}
	return found
}

// snippet is a block of code in a page.
type snippet struct {
	page, language, remark string
	// a comment before it, which readers do not see: what it needs to compile
	prelude string
	text    string
}

var fence = regexp.MustCompile("(?ms)^(?:<!-- go\n(.*?)-->\n)?```(\\w*)([^\n]*)\n(.*?)^```$")

func snippets(t *testing.T) (all []snippet) {
	t.Helper()
	texts := pages(t)
	for _, page := range slices.Sorted(maps.Keys(texts)) {
		for _, m := range fence.FindAllStringSubmatch(texts[page], -1) {
			all = append(all, snippet{page, m[2], strings.TrimSpace(m[3]), m[1], m[4]})
		}
	}
	return all
}

// execute runs a command of a program without pipelines.
func execute(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	var out bytes.Buffer
	code = cli.Main(t.Context(), cli.Program{Name: "coordinator", Call: "coordinator", Out: &out, Err: &out}, args)
	return code, out.String()
}

var (
	link    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notSlug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	texts := pages(t)
	for page, text := range texts {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(m[1]+m[2], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: broken link to %s: %v", page, target, err)
			}
			if anchor != "" && !slices.Contains(anchors(texts[file]), anchor) {
				t.Errorf("%s: %s has no heading for #%s", page, file, anchor)
			}
		}
	}
}

// linked returns the files of the repository to which a page links.
func linked(page, text string) (files []string) {
	for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		target, _, _ := strings.Cut(m[1]+m[2], "#")
		if target != "" && !strings.Contains(target, "://") {
			files = append(files, filepath.Join(filepath.Dir(page), target))
		}
	}
	return files
}

// anchors returns the names that GitHub gives to the headings of a page.
func anchors(text string) (names []string) {
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		names = append(names, strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

func TestPipelineFilesRun(t *testing.T) {
	files := []string{"examples/shell/pipeline.yaml", "examples/compiled/pipeline.yaml"}
	examples, err := filepath.Abs(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snippets(t) {
		if s.remark != "validate" {
			continue
		}
		// The files of the pages name examples as if they were in the root of the repository.
		folder := t.TempDir()
		if err := os.Symlink(examples, filepath.Join(folder, "examples")); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, "pipeline."+s.language)
		if err := os.WriteFile(file, []byte(s.text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if len(files) < 4 {
		t.Fatalf("found only %d pipelines", len(files))
	}
	t.Setenv("GODAGS_HOME", t.TempDir())
	t.Setenv("REDIS_URL", "")
	t.Setenv("GODAGS_KEY", "")
	t.Setenv("GODAGS_SECRET_API_TOKEN", "s3cret-token") // of the page on secrets
	t.Chdir(root)                                       // where the pages say that they are run
	for _, file := range files {
		if code, output := execute(t, "run", file); code != 0 {
			t.Errorf("%s ended with code %d:\n%s", file, code, output)
		}
	}
}
