package pipefile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FileError lists the problems of a file.
type FileError struct {
	Path     string    // of the file, as it was given
	Problems []Problem // by position; never empty, and the first 1,000 at the most
	Omitted  int       // the number of problems that are not in Problems
}

// Problem is one problem of a file. Its texts are printable UTF-8.
type Problem struct {
	Line       int // from 1
	Column     int // from 1, in characters
	Message    string
	Suggestion string // the word that was probably meant, or ""

	excerpt string // the line with a caret below
}

// Error shows the first 20 problems: about a screen.
func (e *FileError) Error() string {
	text := e.Show(20)
	if len(e.Problems) > 20 {
		text += ": the command validate shows all"
	}
	return text
}

// Show formats the first problems as a compiler does: each with its line and a caret.
func (e *FileError) Show(most int) string {
	// The form path:line:column is what editors and terminals turn into links.
	shown := e.Problems[:min(most, len(e.Problems))]
	var b strings.Builder
	for _, p := range shown {
		fmt.Fprintf(&b, "%s:%d:%d: %s%s\n%s\n", printable(e.Path), p.Line, p.Column, p.Message, didYouMean(p.Suggestion), p.excerpt)
	}

	if more := len(e.Problems) + e.Omitted - len(shown); more > 0 {
		fmt.Fprintf(&b, "... and %d more", more)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func didYouMean(suggestion string) string {
	if suggestion == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", quote(suggestion))
}

// quote quotes a name without control characters, shortened to 80 characters.
func quote(name string) string {
	shown := 0
	for i := range name {
		if shown++; shown > 80 {
			return strconv.Quote(name[:i] + "...")
		}
	}
	return strconv.Quote(name)
}

// printable replaces control characters, which could change the terminal. A line end becomes a
// semicolon.
func printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}

	var b strings.Builder
	// The decoder is called directly: a range loop would not tell a bad byte from a real U+FFFD.
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == '\n' {
			b.WriteString("; ")
		} else {
			shown, _ := show(r, size)
			b.WriteString(shown)
		}
		s = s[size:]
	}

	return b.String()
}
