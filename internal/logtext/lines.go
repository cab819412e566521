package logtext

import (
	"bytes"
	"slices"
)

// Lines cuts the output of an attempt into lines while the attempt is running. It is given the
// parts of the output that are new, in order. The zero value has read nothing.
type Lines struct {
	read int64  // offset up to which the output was read
	rest []byte // the start of a line whose end has not come yet
}

// Read returns the offset up to which the output was read: the next part is the one after it.
func (l *Lines) Read() int64 { return l.read }

// Next returns the lines that a part of the output completes, without their line feeds. A line
// that says so stands for bytes that were left out. Unless the attempt has ended, what comes after
// the last line feed is kept for the next call.
//
// A line longer than [Limit] comes in several pieces: an output without line feeds must not fill
// the memory.
func (l *Lines) Next(part Text, ended bool) [][]byte {
	var lines [][]byte
	add := func(from int64, text []byte) {
		if len(text) == 0 {
			return
		}

		if left := from - l.read; left > 0 {
			lines = append(l.flush(lines), []byte(LeftOut(left)))
			text = TrimStart(text)
		}
		l.read = from + int64(len(text))
		lines = l.cut(lines, text)
	}

	add(part.From, part.Head)
	add(part.TailFrom, part.Tail)
	l.read = max(l.read, part.End())

	if ended {
		lines = l.flush(lines)
	}
	return lines
}

// cut adds the lines that a text completes.
func (l *Lines) cut(lines [][]byte, text []byte) [][]byte {
	l.rest = append(l.rest, text...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		switch {
		case whole:
			lines = append(lines, slices.Clone(line))
			l.rest = rest
		case len(l.rest) > Limit:
			return l.flush(lines)
		default:
			// A copy: the slice would keep all the lines before it in memory.
			l.rest = slices.Clone(l.rest)
			return lines
		}
	}
}

// flush adds what has come of the last line.
func (l *Lines) flush(lines [][]byte) [][]byte {
	if len(l.rest) == 0 {
		return lines
	}
	line := l.rest
	l.rest = nil
	return append(lines, line)
}
