package cli

import (
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// drawn has a character of ASCII for each mark and line that we draw. It takes as many columns.
var drawn = strings.NewReplacer("✓", "+", "✗", "x", "↻", "~", "↷", ">", "⊘", "!", "·", "-", "…", "~", "→", ">", "×", "x", "µ", "u",
	"⠋", "|", "⠙", "/", "⠹", "-", "⠸", `\`, "⠼", "|", "⠴", "/", "⠦", "-", "⠧", `\`, "⠇", "|", "⠏", "/",
	"━", "=", "─", "-", "│", "|", "▼", "v", "╭", "+", "╮", "+", "╰", "+", "╯", "+", "├", "+", "┤", "+", "┬", "+", "┴", "+", "┼", "+")

// file is something that may be a terminal.
type file interface {
	io.Writer
	Fd() uintptr
}

// readable returns out, which is shown nothing of ours but ASCII if it is a terminal and its user says so.
func readable(out io.Writer, env func(string) string) io.Writer {
	if f, ok := out.(file); ok && wantsASCII(env) && term.IsTerminal(int(f.Fd())) {
		return &asciiTerminal{File: f}
	}
	return out
}

// wantsASCII reports whether the locale is that of POSIX by name. Where there is none, terminals show more than ASCII nevertheless.
func wantsASCII(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := env(name); locale != "" {
			return locale == "C" || locale == "POSIX"
		}
	}
	return false
}

// asciiTerminal is a terminal that shows no marks and lines but those of ASCII.
type asciiTerminal struct {
	File file
	mu   sync.Mutex
	text []byte // not written yet; between two calls the beginning of a character at the most
}

// Fd makes it known as a terminal.
func (t *asciiTerminal) Fd() uintptr { return t.File.Fd() }

func (t *asciiTerminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	whole := len(t.text)
	for start := whole - 1; start >= max(0, whole-utf8.UTFMax); start-- {
		if utf8.RuneStart(t.text[start]) {
			if !utf8.FullRune(t.text[start:]) {
				whole = start
			}
			break
		}
	}
	_, err := io.WriteString(t.File, drawn.Replace(string(t.text[:whole])))
	t.text = append(t.text[:0], t.text[whole:]...)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}
