package cli

import (
	"io"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/godags/godags/internal/term"
)

// asciiForms replaces each mark and line that godags draws with ASCII of the same width.
var asciiForms = strings.NewReplacer("✓", "+", "✗", "x", "↻", "~", "↷", ">", "⊘", "!", "·", "-", "…", "~", "→", ">", "×", "x", "µ", "u",
	"⠋", "|", "⠙", "/", "⠹", "-", "⠸", `\`, "⠼", "|", "⠴", "/", "⠦", "-", "⠧", `\`, "⠇", "|", "⠏", "/",
	"█", "#", "▒", "%", "▸", ">", "▁", "_", "▂", ".", "▃", ":", "▄", "=", "▅", "+", "▆", "*", "▇", "%",
	"━", "=", "─", "-", "│", "|", "▼", "v", "╭", "+", "╮", "+", "╰", "+", "╯", "+", "├", "+", "┤", "+", "┬", "+", "┴", "+", "┼", "+")

// file is a writer that may be a terminal.
type file interface {
	io.Writer
	Fd() uintptr
}

// wrapTerminal wraps out in a [terminal] if it is one.
func wrapTerminal(out io.Writer, env func(string) string) io.Writer {
	if f, ok := out.(file); ok && term.IsTerminal(f) {
		return &terminal{File: f, ascii: wantsASCII(env)}
	}
	return out
}

// wantsASCII reports whether the locale is explicitly that of POSIX. Without a locale, as in many
// containers, terminals show Unicode nevertheless.
func wantsASCII(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := env(name); locale != "" {
			return locale == "C" || locale == "POSIX"
		}
	}
	return false
}

// terminal escapes control sequences that a stage, or another user of Redis, has put into a text.
// It is the last line of defence: the code that prints a text removes them first, in a form that
// fits there.
type terminal struct {
	File  file
	ascii bool // marks and lines are replaced with ASCII
	mu    sync.Mutex
	// Not written yet: between two calls at most an incomplete character or sequence.
	text []byte
}

// Fd returns the descriptor of the terminal, by which it is recognised as one.
func (t *terminal) Fd() uintptr { return t.File.Fd() }

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	// A write may end within a character or a sequence, so the rest of the last one comes first.
	t.text = append(t.text, p...)
	whole, rest := escapeForeign(t.text)
	text := string(whole)
	if t.ascii {
		text = asciiForms.Replace(text)
	}

	_, err := io.WriteString(t.File, text)
	t.text = append(t.text[:0], rest...)
	if err != nil {
		// No part of p counts as written: after an error the caller writes no more.
		return 0, err
	}

	return len(p), nil
}

// ownSequence matches the sequences that godags itself prints: colours, and the cursor movements of
// the live block.
var ownSequence = regexp.MustCompile(`^\x1b\[(?:[0-9;]*m|[0-9]*A|[KJ]|\?(?:25|7)[lh])`)

// partialSequence matches an incomplete sequence that may become one of godags.
var partialSequence = regexp.MustCompile(`^\x1b(?:\[\??[0-9;]{0,8})?$`)

// escapeForeign escapes all control sequences but those of godags. The rest is an incomplete
// last character or sequence, which the next write completes.
func escapeForeign(text []byte) (whole, rest []byte) {
	at := 0
	for at < len(text) {
		b := text[at]
		// Nearly all bytes of progress are of this kind, and need no decoding.
		if b >= ' ' && b < 0x7f || b == '\n' || b == '\r' || b == '\t' {
			whole = append(whole, b)
			at++
			continue
		}

		if b == '\x1b' {
			// The code that prints texts of stages has already removed these sequences from them.
			if command := ownSequence.Find(text[at:]); command != nil {
				whole = append(whole, command...)
				at += len(command)
				continue
			}
			if partialSequence.Match(text[at:]) {
				return whole, text[at:]
			}
		}

		if !utf8.FullRune(text[at:]) {
			return whole, text[at:]
		}

		_, size := utf8.DecodeRune(text[at:])
		whole = append(whole, term.Clean(string(text[at:at+size]))...)
		at += size
	}

	return whole, nil
}
