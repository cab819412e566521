package logtext_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/godags/godags/internal/logtext"
)

func part(from int64, head string) logtext.Text { return logtext.Text{From: from, Head: []byte(head)} }

func TestText_Bytes(t *testing.T) {
	for want, text := range map[string]logtext.Text{
		"":                                 {},
		"abc":                              part(0, "abc"),
		"abcdef":                           {Head: []byte("abc"), TailFrom: 3, Tail: []byte("def")},
		"abc\n... 7 bytes left out ...\nd": {Head: []byte("abc"), TailFrom: 10, Tail: []byte("d")},
		"a\n... 1 bytes left out ...\nd":   {Head: []byte("a\n"), TailFrom: 3, Tail: []byte("d")},
		// Of the two halves of a character that is left out in part, nothing is kept.
		"a\n... 9 bytes left out ...\nd": {Head: []byte("a\xc3"), TailFrom: 9, Tail: []byte("\x80d")},
	} {
		if got := string(text.Bytes()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLines_YieldsEachLineOnce(t *testing.T) {
	for name, test := range map[string]struct {
		parts []logtext.Text // the attempt has ended at the last
		want  []string
	}{
		"grows":        {[]logtext.Text{part(0, ""), part(0, "a\n"), part(2, "b\nc\n"), part(6, "")}, []string{"a", "b", "c"}},
		"half a line":  {[]logtext.Text{part(0, "a\nb"), part(3, "c\n")}, []string{"a", "bc"}},
		"no last feed": {[]logtext.Text{part(0, "a\nb")}, []string{"a", "b"}},
		"empty lines":  {[]logtext.Text{part(0, "\n"), part(1, "\na\n")}, []string{"", "", "a"}},
		"nothing":      {[]logtext.Text{part(0, ""), part(0, "")}, nil},
		"a gap": {[]logtext.Text{part(0, "a\nb"), {From: 3, TailFrom: 9, Tail: []byte("c\nd\n")}},
			[]string{"a", "b", "... 6 bytes left out ...", "c", "d"}},
		"a gap at the start": {[]logtext.Text{{TailFrom: 9, Tail: []byte("\x80c\n")}}, []string{"... 9 bytes left out ...", "c"}},
		"head and tail":      {[]logtext.Text{{Head: []byte("a\nb"), TailFrom: 3, Tail: []byte("c\n")}}, []string{"a", "bc"}},
	} {
		t.Run(name, func(t *testing.T) {
			var l logtext.Lines
			var got []string
			for i, p := range test.parts {
				for _, line := range l.Next(p, i == len(test.parts)-1) {
					got = append(got, string(line))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// However an output is cut into parts, its lines are the same.
func TestLines_DependOnTheTextAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.SampledFrom([]byte("ab\n\r\xc3\x80"))).Draw(t, "text")
		var l logtext.Lines
		var got []byte
		for from := 0; from < len(text); {
			n := rapid.IntRange(1, len(text)-from).Draw(t, "bytes")
			h := rapid.IntRange(0, n).Draw(t, "of these in the head")
			p := logtext.Text{From: int64(from), Head: text[from : from+h], TailFrom: int64(from + h), Tail: text[from+h : from+n]}
			from += n
			for _, line := range l.Next(p, from == len(text)) {
				got = fmt.Appendf(got, "%s\n", line)
			}
			if l.Read() != int64(from) {
				t.Fatalf("read up to %d, want %d", l.Read(), from)
			}
		}
		if want := append(bytes.TrimSuffix(text, []byte("\n")), '\n'); len(text) > 0 && !bytes.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestLines_CutsAnEndlessLine(t *testing.T) {
	var l logtext.Lines
	most := 0
	for i := range 100 {
		for _, line := range l.Next(part(int64(i)*10_000, strings.Repeat("x", 10_000)), false) {
			most = max(most, len(line))
		}
	}
	if most == 0 || most > 2*logtext.Limit {
		t.Errorf("the longest piece has %d bytes", most)
	}
}
