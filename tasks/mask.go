package tasks

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// minSecret is how many bytes a secret must have: shorter ones would be found, and masked,
// everywhere.
const minSecret = 4

var masked = []byte("***")

// Mask replaces secrets in texts by ***. A nil Mask replaces nothing. A secret that was encoded,
// such as by base64, is not found.
type Mask struct {
	secrets [][]byte // the longest first; of one with several lines each line
}

// NewMask returns a mask of values, whose keys are their names. One of less than 4 bytes is an
// error.
func NewMask(values map[string]string) (*Mask, error) {
	m := &Mask{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		before := len(m.secrets)
		for line := range strings.Lines(values[name]) {
			if line = strings.Trim(line, "\r\n"); len(line) >= minSecret {
				m.secrets = append(m.secrets, []byte(line))
			}
		}

		if len(m.secrets) == before {
			return nil, fmt.Errorf("secret %s has no line of at least %d bytes: it could not be kept out of logs", name, minSecret)
		}
	}

	slices.SortFunc(m.secrets, func(a, b []byte) int { return cmp.Compare(len(b), len(a)) })
	return m, nil
}

// String returns text without secrets.
func (m *Mask) String(text string) string {
	if m == nil {
		return text
	}
	clean, rest := m.clean(nil, []byte(text))
	return string(append(clean, m.end(rest)...))
}

// clean appends text without secrets to clean, but for the rest, from where a secret may have begun
// that is not complete.
func (m *Mask) clean(clean, text []byte) (_, rest []byte) {
	next := make([]int, len(m.secrets)) // where each secret is found next
	held := m.held(text, 0)
	for begin := 0; ; {
		at := held
		length := 0
		for i, s := range m.secrets {
			if next[i] < begin || begin == 0 {
				next[i] = indexFrom(text, begin, s)
			}
			if next[i] < at {
				at = next[i]
				length = len(s)
			}
		}

		clean = append(clean, text[begin:max(begin, at)]...)
		if length == 0 {
			return clean, text[held:]
		}

		clean = append(clean, masked...)
		begin = at + length
		held = max(held, m.held(text, begin))
	}
}

// indexFrom returns where s is in text[from:], or the end of text.
func indexFrom(text []byte, from int, s []byte) int {
	if i := bytes.Index(text[from:], s); i >= 0 {
		return from + i
	}
	return len(text)
}

// held returns where the longest end of text[from:] begins that is the beginning of a secret, but
// not all of it.
func (m *Mask) held(text []byte, from int) int {
	if len(m.secrets) == 0 {
		return len(text)
	}

	for i := max(from, len(text)-len(m.secrets[0])+1); i < len(text); i++ {
		for _, s := range m.secrets {
			if len(s) > len(text)-i && bytes.HasPrefix(s, text[i:]) {
				return i
			}
		}
	}

	return len(text)
}

// end returns what is shown of the rest of a text: not the larger part of a secret that was cut
// off.
func (m *Mask) end(rest []byte) []byte {
	if len(rest) < minSecret {
		return rest
	}
	return masked
}
