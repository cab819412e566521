package pipefile

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FileError lists everything that is wrong with a file.
type FileError struct {
	Path     string    // of the file, as it was given
	Problems []Problem // by position; never empty, and the first 1,000 at the most
	Omitted  int       // the number of problems that are not in Problems
}

// Problem is one thing that is wrong with a file. Its texts are printable UTF-8.
type Problem struct {
	Line       int // from 1
	Column     int // from 1, in characters
	Message    string
	Suggestion string // what may be meant, or ""

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

// Show shows so many of the problems as a compiler does: each with its line and a caret.
func (e *FileError) Show(most int) string {
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

// fileError gives what was reported its positions, in one walk through the file.
func (s *source) fileError(path string) *FileError {
	slices.SortStableFunc(s.problems, func(a, b problem) int { return cmp.Compare(a.at, b.at) })

	// what is wrong with an anchor is found again at each alias
	s.problems = slices.Compact(s.problems)
	e := &FileError{Path: path, Problems: make([]Problem, len(s.problems)), Omitted: s.omitted}

	// a problem at the end is shown behind the last thing that is there
	end := len(bytes.TrimRight(s.bytes, " \t\r\n"))
	line := 1
	column := 1
	last := 0
	for i, p := range s.problems {
		at := min(p.at, end)
		if at > last {
			between := s.bytes[last:at]
			if n := bytes.Count(between, []byte("\n")); n > 0 {
				line = line + n
				column = 1
				between = between[bytes.LastIndexByte(between, '\n')+1:]
			}
			column = column + utf8.RuneCount(between)
			last = at
		}

		e.Problems[i] = Problem{line, column, printable(p.message), printable(p.suggestion), excerpt(s.bytes, at, p.end, line)}
	}

	return e
}

// line returns the number of the line that a place is on, from 1.
func (s *source) line(at int) int { return bytes.Count(s.bytes[:at], []byte("\n")) + 1 }

// quote shows a name so that it can do no harm on a terminal, and at most 80 characters of it.
func quote(name string) string {
	shown := 0
	for i := range name {
		if shown++; shown > 80 {
			return strconv.Quote(name[:i] + "...")
		}
	}
	return strconv.Quote(name)
}

// printable replaces what could do harm on a terminal. A line end becomes a semicolon.
func printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}

	var b strings.Builder
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
