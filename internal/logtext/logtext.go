// Package logtext is the captured output of an attempt. Of a long output the beginning and the end
// are kept, so that its size is bounded; every byte keeps its offset, so that a reader can continue
// where it stopped.
package logtext

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Limits of what is kept of the output of one attempt, in bytes.
const (
	Limit     = 64 << 10
	HeadLimit = Limit / 4         // the beginning
	TailLimit = Limit - HeadLimit // the end
)

// Text is a captured output, or the part of one after an offset. The zero value is empty.
type Text struct {
	From     int64  // offset of Head in the output
	Head     []byte // the beginning
	TailFrom int64  // offset of Tail; the bytes between Head and Tail were left out
	Tail     []byte // the end, if there is more than the beginning
}

// Empty reports whether the text has no bytes.
func (t Text) Empty() bool { return len(t.Head) == 0 && len(t.Tail) == 0 }

// End returns the offset after the last byte.
func (t Text) End() int64 {
	if len(t.Tail) > 0 {
		return t.TailFrom + int64(len(t.Tail))
	}
	return t.From + int64(len(t.Head))
}

// Gap returns the number of bytes left out between Head and Tail.
func (t Text) Gap() int64 {
	if len(t.Tail) == 0 {
		return 0
	}
	return t.TailFrom - t.From - int64(len(t.Head))
}

// Bytes returns the text for people: if bytes were left out, a line says how many.
func (t Text) Bytes() []byte {
	if t.Gap() <= 0 {
		return slices.Concat(t.Head, t.Tail)
	}

	// Half a character on either side of the gap would make the rest of a UTF-8 text invalid.
	head := TrimEnd(t.Head)
	tail := TrimStart(t.Tail)
	left := t.Gap() + int64(len(t.Head)-len(head)) + int64(len(t.Tail)-len(tail))

	text := slices.Concat(head)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	return append(append(append(text, LeftOut(left)...), '\n'), tail...)
}

// LeftOut returns the line that stands for bytes that were not kept.
func LeftOut(n int64) string { return fmt.Sprintf("... %d bytes left out ...", n) }

// TrimEnd removes an incomplete character from the end of a text.
func TrimEnd(text []byte) []byte {
	for i := max(0, len(text)-utf8.UTFMax+1); i < len(text); i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			return text[:i]
		}
	}
	return text
}

// TrimStart removes the rest of a character from the start of a text.
func TrimStart(text []byte) []byte {
	for i := 0; i < utf8.UTFMax-1 && len(text) > 0 && !utf8.RuneStart(text[0]); i++ {
		text = text[1:]
	}
	return text
}
