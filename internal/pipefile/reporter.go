package pipefile

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxProblems is the number of problems that are kept.
const maxProblems = 1000

// problem is a problem at a place of a file. Lines and columns are computed later, for all
// problems in one pass.
type problem struct {
	at, end             int // in bytes; an end of 0 means up to the end of the word
	message, suggestion string
}

// reporter collects the problems of a file. Syntax, schema and build report to the same one, so
// that a user sees all problems at once and in order.
type reporter struct {
	bytes    []byte // of the file
	problems []problem
	omitted  int // problems beyond maxProblems
}

// reported returns the number of problems so far. A step that adds none has succeeded.
func (r *reporter) reported() int { return len(r.problems) + r.omitted }

func (r *reporter) report(at int, format string, args ...any) { r.suggest(at, "", format, args...) }

// suggest reports a problem that writing the suggestion would probably solve.
func (r *reporter) suggest(at int, suggestion, format string, args ...any) {
	r.add(problem{at: at, message: fmt.Sprintf(format, args...), suggestion: suggestion})
}

func (r *reporter) add(p problem) {
	if len(r.problems) == maxProblems {
		// A file with a million problems must not fill the memory with their texts.
		r.omitted++
		return
	}
	r.problems = append(r.problems, p)
}

// reportSecond reports something that is there twice, with the line of the first.
func (r *reporter) reportSecond(at, first int, format string, args ...any) {
	line := 0
	if len(r.problems) < maxProblems { // a problem that is omitted is not worth counting lines
		line = r.line(first)
	}
	r.report(at, format+": first on line %d", append(args, line)...)
}

// fileError returns the problems with their lines and columns, computed in one pass through the
// file.
func (r *reporter) fileError(path string) *FileError {
	slices.SortStableFunc(r.problems, func(a, b problem) int { return cmp.Compare(a.at, b.at) })

	// A problem of an anchor is reported again for each alias.
	r.problems = slices.Compact(r.problems)
	e := &FileError{Path: path, Problems: make([]Problem, len(r.problems)), Omitted: r.omitted}

	// A problem after the last word, such as a missing bracket, is shown right behind that word.
	end := len(bytes.TrimRight(r.bytes, " \t\r\n"))
	line := 1
	column := 1
	last := 0
	for i, p := range r.problems {
		// The problems are sorted, so lines are counted once for all of them, in O(file).
		at := min(p.at, end)
		if at > last {
			between := r.bytes[last:at]
			if n := bytes.Count(between, []byte("\n")); n > 0 {
				line = line + n
				column = 1
				between = between[bytes.LastIndexByte(between, '\n')+1:]
			}
			column = column + utf8.RuneCount(between)
			last = at
		}

		e.Problems[i] = Problem{line, column, printable(p.message), printable(p.suggestion), excerpt(r.bytes, at, p.end, line)}
	}

	return e
}

// line returns the line of a place, from 1.
func (r *reporter) line(at int) int { return bytes.Count(r.bytes[:at], []byte("\n")) + 1 }
