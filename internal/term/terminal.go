package term

import xterm "golang.org/x/term"

// descriptor is a file that may be a terminal.
type descriptor interface{ Fd() uintptr }

// IsTerminal reports whether out, or in, is a terminal. Anything without a file descriptor is none.
func IsTerminal(f any) bool {
	d, ok := f.(descriptor)
	return ok && xterm.IsTerminal(int(d.Fd()))
}

// Size returns the columns and rows of a terminal. It reports false if f is no terminal, or one
// that does not know its size.
func Size(f any) (columns, rows int, ok bool) {
	d, is := f.(descriptor)
	if !is {
		return 0, 0, false
	}

	columns, rows, err := xterm.GetSize(int(d.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 0, 0, false
	}

	return columns, rows, true
}
