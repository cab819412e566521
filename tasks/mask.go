package tasks

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// minSecret is the least length of a secret in bytes. Shorter ones would match everywhere.
const minSecret = 4

var masked = []byte("***")

// Mask replaces secrets in texts by ***. A nil Mask replaces nothing. A secret that was encoded,
// for example as base64, is not found.
type Mask struct {
	secrets [][]byte // the longest first; a secret of several lines counts as several
}

// NewMask returns a mask for secrets, by name. A secret of less than 4 bytes is an error.
func NewMask(values map[string]string) (*Mask, error) {
	m := &Mask{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		// Programs print a key of several lines line by line, often with something in front.
		before := len(m.secrets)
		for line := range strings.Lines(values[name]) {
			if line = strings.Trim(line, "\r\n"); len(line) >= minSecret {
				m.secrets = append(m.secrets, []byte(line))
			}
		}

		if len(m.secrets) == before {
			return nil, fmt.Errorf("secret %s has no line of at least %d bytes: it cannot be masked in logs: use a longer one",
				name, minSecret)
		}
	}

	// If one secret is the beginning of another, the longer one must be replaced.
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

// clean appends text without secrets to clean. It returns as rest the end of text in which a secret
// may have begun that is not complete.
func (m *Mask) clean(clean, text []byte) (_, rest []byte) {
	// Each secret is searched for only once the position behind its last match is passed, so that a
	// long text is read once for each secret and not once for each match.
	next := make([]int, len(m.secrets)) // the next match of each secret
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

// indexFrom returns the position in text of the first match of s from a position on, or len(text).
func indexFrom(text []byte, from int, s []byte) int {
	if i := bytes.Index(text[from:], s); i >= 0 {
		return from + i
	}
	return len(text)
}

// held returns the position of the longest suffix of text[from:] that is a proper prefix of a
// secret, or len(text).
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

// end returns the text to show for the rest of a text. A long prefix of a secret is masked.
func (m *Mask) end(rest []byte) []byte {
	if len(rest) < minSecret {
		return rest
	}
	return masked
}
