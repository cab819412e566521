// Command pictures makes the terminal pictures of the documentation from real runs. It is called
// by "make pictures", in the root of the repository, after the programs were built.
package main

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	folder     = "docs/pictures"
	lineHeight = 20
	charWidth  = 8.43 // of the usual monospace fonts at 14 pixels
	margin     = 20
)

// picture is a command and what it shows. The flags are not in the picture: they make a pipe show
// what stays on a terminal after the run.
type picture struct {
	name    string
	command []string
	flags   []string
}

var pictures = []picture{
	{"run", []string{"run", "nightly.yaml"}, []string{"--color", "always", "--progress", "plain", "--logs", "none"}},
}

func main() {
	for _, p := range pictures {
		if err := p.make(); err != nil {
			fmt.Fprintln(os.Stderr, "pictures:", err)
			os.Exit(1)
		}
	}
}

// make runs the command in the folder of its pipeline and writes the picture there.
func (p picture) make() error {
	program, err := filepath.Abs("bin/coordinator")
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "godags-pictures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home) //nolint:errcheck // a temporary folder

	cmd := exec.Command(program, append(p.command, p.flags...)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "REDIS_URL=", "GODAGS_HOME="+home)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("coordinator %s: %w\n%s", strings.Join(p.command, " "), err, output)
	}

	// The first line names the Redis of this machine and its folder.
	_, shown, _ := strings.Cut(string(output), "\n")
	shown = "\x1b[1m$ coordinator " + strings.Join(p.command, " ") + "\x1b[0m\n" + shown
	return os.WriteFile(filepath.Join(folder, p.name+".svg"), []byte(draw(shown)), 0o644)
}

var sequence = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// colors are those of the sequences that godags writes.
var colors = map[string]string{
	"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea",
}

// draw returns text with ANSI colours as an SVG. Each line of the text is one of the SVG, so that
// a difference can be read.
func draw(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	columns := 0
	for _, line := range lines {
		columns = max(columns, len([]rune(sequence.ReplaceAllString(line, ""))))
	}
	width := int(float64(columns)*charWidth) + 2*margin
	height := len(lines)*lineHeight + 2*margin

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`+"\n", width, height, width, height)
	b.WriteString(`<rect width="100%" height="100%" rx="8" fill="#0d1117"/>` + "\n")
	b.WriteString(`<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#e6edf3">` + "\n")
	for i, line := range lines {
		fmt.Fprintf(&b, `<text xml:space="preserve" x="%d" y="%d">%s</text>`+"\n", margin, margin+15+i*lineHeight, spans(line))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// spans returns a line as text of an SVG, with an element for each part that has a style.
func spans(line string) string {
	var b strings.Builder
	style, from := "", 0
	add := func(part string) {
		switch {
		case part == "":
		case style == "":
			b.WriteString(html.EscapeString(part))
		default:
			b.WriteString("<tspan" + style + ">" + html.EscapeString(part) + "</tspan>")
		}
	}

	for _, place := range sequence.FindAllStringSubmatchIndex(line, -1) {
		add(line[from:place[0]])
		style = attributes(style, line[place[2]:place[3]])
		from = place[1]
	}
	add(line[from:])
	return b.String()
}

// attributes returns the style after a sequence.
func attributes(style, sequence string) string {
	for code := range strings.SplitSeq(sequence, ";") {
		switch color := colors[code]; {
		case code == "" || code == "0":
			style = ""
		case code == "1":
			style += ` font-weight="bold"`
		case code == "2":
			style += ` opacity="0.6"`
		case color != "":
			style += ` fill="` + color + `"`
		}
	}
	return style
}
