package docs_test

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	svgLine  = regexp.MustCompile(`(?m)^<text [^>]*>(.*)</text>$`)
	svgTag   = regexp.MustCompile(`<[^>]*>`)
	runID    = regexp.MustCompile(`nightly-\d{8}-\d{6}-\w{4}`)
	clock    = regexp.MustCompile(`\d\d:\d\d:\d\d\.\d`)
	duration = regexp.MustCompile(`<?\d[\d.]*(ms|s)\b|\d+%`)
	blanks   = regexp.MustCompile(` +`)
)

// steady returns the lines of a text in order of the alphabet, without what differs in each run.
// The order of lines of parallel stages depends on the load of the machine.
func steady(text string) []string {
	text = runID.ReplaceAllString(text, "ID")
	text = clock.ReplaceAllString(text, "CLOCK")
	text = duration.ReplaceAllString(text, "TIME")
	text = blanks.ReplaceAllString(text, " ")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return lines
}

// TestPicturesShowWhatTheProgramShows fails if the output changed since "make pictures".
func TestPicturesShowWhatTheProgramShows(t *testing.T) {
	var b strings.Builder
	for _, m := range svgLine.FindAllStringSubmatch(read(t, "docs/pictures/run.svg"), -1) {
		b.WriteString(html.UnescapeString(svgTag.ReplaceAllString(m[1], "")) + "\n")
	}
	prompt, pictured, _ := strings.Cut(b.String(), "\n")
	if prompt != "$ coordinator run nightly.yaml" {
		t.Fatalf("the first line of the picture is %q", prompt)
	}

	t.Setenv("GODAGS_HOME", t.TempDir())
	t.Setenv("REDIS_URL", "")
	t.Setenv("GODAGS_KEY", "")
	t.Chdir("pictures")
	code, output := execute(t, "run", "nightly.yaml", "--color", "never", "--progress", "plain", "--logs", "none")
	if code != 0 {
		t.Fatalf("ended with code %d:\n%s", code, output)
	}
	_, shown, _ := strings.Cut(output, "\n") // the first line names the Redis of this machine
	if got, want := steady(shown), steady(pictured); !slices.Equal(got, want) {
		t.Errorf("the picture is out of date: run \"make pictures\"\ngot:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEveryPageIsReachable follows the links from the README.
func TestEveryPageIsReachable(t *testing.T) {
	texts, reached := pages(t), make(map[string]bool)
	next := []string{"README.md"}
	for len(next) > 0 {
		page := next[0]
		next = next[1:]
		if reached[page] {
			continue
		}
		reached[page] = true
		next = append(next, linked(page, texts[page])...)
	}
	for page := range texts {
		if !reached[page] {
			t.Errorf("no path of links leads from the README to %s", page)
		}
	}
}
