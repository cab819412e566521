package progress

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/godags/godags/internal/term"
)

// screen is a terminal with a scrollback. It knows what the package writes, and complains about
// everything else.
type screen struct {
	mu            sync.Mutex // a terminal may be resized while it is written to
	width, height int
	// all rows that ever were: first the scrollback, then from top on what is seen
	rows       []screenRow
	top        int
	x, y       int // the cursor; y counts from the first row of all
	wrap       bool
	pending    bool // the last column was written to: the next character wraps
	cursor     bool // is seen
	complaints []string
	writes     int
}

type screenRow struct {
	cells []rune // 0 after a wide character
	goes  bool   // goes on in the next row, because it was too long
}

func newScreen(width, height int) *screen {
	s := &screen{width: width, height: height, wrap: true, cursor: true}
	s.rows = make([]screenRow, height)
	for y := range s.rows {
		s.rows[y] = s.empty()
	}
	return s
}

func (s *screen) empty() screenRow { return screenRow{cells: []rune(strings.Repeat(" ", s.width))} }

func (s *screen) size() (int, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.width, s.height
}

func (s *screen) complain(format string, args ...any) {
	s.complaints = append(s.complaints, fmt.Sprintf(format, args...))
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	for text := string(p); text != ""; {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == '\x1b':
			n = s.escape(text)
		case r == '\r':
			s.x, s.pending = 0, false
		case r == '\n':
			s.down()
		case r < ' ' || r == utf8.RuneError:
			s.complain("control character %q", r)
		default:
			s.put(r)
		}
		text = text[n:]
	}
	return len(p), nil
}

func (s *screen) escape(text string) int {
	end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' })
	if !strings.HasPrefix(text, "\x1b[") || end < 0 {
		s.complain("sequence %.8q", text)
		return 1
	}
	sequence := text[2 : 3+end]
	count, _ := strconv.Atoi(strings.TrimSuffix(sequence, "A"))
	switch {
	case sequence == "K":
		copy(s.rows[s.y].cells[s.x:], []rune(strings.Repeat(" ", s.width)))
	case sequence == "J":
		copy(s.rows[s.y].cells[s.x:], []rune(strings.Repeat(" ", s.width)))
		for y := s.y + 1; y < len(s.rows); y++ {
			s.rows[y] = s.empty()
		}
		s.rows[s.y].goes = s.rows[s.y].goes && s.x > 0
	case strings.HasSuffix(sequence, "A") && count > 0:
		if s.y-count < s.top {
			s.complain("the cursor goes up %d from row %d", count, s.y-s.top)
		}
		s.y, s.pending = max(s.top, s.y-count), false
	case sequence == "?25l" || sequence == "?25h":
		s.cursor = sequence == "?25h"
	case sequence == "?7l" || sequence == "?7h":
		s.wrap, s.pending = sequence == "?7h", false
	case strings.HasSuffix(sequence, "m"):
	default:
		s.complain("sequence %q", sequence)
	}
	return 3 + end
}

func (s *screen) down() {
	s.pending = false
	if s.y++; s.y < s.top+s.height {
		return
	}
	s.top++
	s.rows = append(s.rows, s.empty())
}

func (s *screen) put(r rune) {
	n := term.Width(string(r))
	if n == 0 {
		return
	}
	if s.pending || s.x+n > s.width {
		if s.wrap {
			s.rows[s.y].goes = true
			s.down()
			s.x = 0
		} else {
			s.x = s.width - n
		}
		s.pending = false
	}
	copy(s.rows[s.y].cells[s.x:], []rune{r, 0}[:n])
	if s.x += n; s.x >= s.width {
		s.x, s.pending = s.width-1, s.wrap
	}
}

// resize does as terminals do that wrap lines anew, which is most, or, as others do, cuts them.
func (s *screen) resize(width, height int, rewrap bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, offset := s.rows, s.x
	s.rows, s.width, s.height = nil, width, height
	cursor := s.y
	var line []rune
	for y, row := range rows {
		if y == cursor {
			offset += len(line)
		}
		line = append(line, row.cells...)
		if row.goes && rewrap {
			continue
		}
		if y >= cursor && cursor >= 0 {
			s.y, s.x, cursor = len(s.rows)+offset/width, offset%width, -1
		}
		for line = trim(line); ; line = line[width:] {
			row := s.empty()
			copy(row.cells, line)
			row.goes = rewrap && len(line) > width
			s.rows = append(s.rows, row)
			if !row.goes {
				break
			}
		}
		line = nil
	}
	s.pending = false
	for len(s.rows) < height {
		s.rows = append(s.rows, s.empty())
	}
	s.top = max(0, min(len(s.rows)-height, s.y))
	s.rows = s.rows[:s.top+height] // what is below is lost
}

func trim(line []rune) []rune {
	for len(line) > 0 && line[len(line)-1] == ' ' {
		line = line[:len(line)-1]
	}
	return line
}

// seen returns the rows of the screen without empty ones at its end; all returns those of the
// scrollback too.
func (s *screen) seen() string { return join(s.rows[s.top:]) }
func (s *screen) all() string  { return join(s.rows) }

func join(rows []screenRow) string {
	var b strings.Builder
	for _, row := range rows {
		for _, r := range trim(row.cells) {
			if r != 0 {
				b.WriteRune(r)
			}
		}
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
