package queue

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// TaskID returns the ID of the task of an attempt: `run:stage:attempt`. Different attempts have
// different IDs, and an attempt always has the same ID. So a coordinator that dispatches an attempt
// again adds nothing to the queue.
//
// asynqmon shows an ID only up to the first '-', and puts IDs into URLs without escaping. So '-'
// becomes the hyphen U+2010, which reads the same. Other characters that would get lost become '~'
// and two hexadecimal digits for each byte.
func TaskID(run, stage string, attempt int) string {
	// Only the run's part escapes ':', so its end is clear. The attempt is a number, so the ':' in
	// a stage's name can stay readable.
	id := make([]byte, 0, len(run)+len(stage)+8)
	id = appendIDPart(id, run, ":")
	id = append(id, ':')
	id = appendIDPart(id, stage, "")
	id = append(id, ':')
	return string(strconv.AppendInt(id, int64(attempt), 10))
}

// hyphen replaces '-' in IDs.
const hyphen = '\u2010'

// lostInURLs are the characters that asynqmon loses or misreads, and the two that stand for others
// in an ID.
const lostInURLs = `/\#?%$~` + string(hyphen)

// appendIDPart appends text, with lost characters and separators escaped.
func appendIDPart(id []byte, text, separators string) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == '-':
			id = utf8.AppendRune(id, hyphen)
		case r == utf8.RuneError && size == 1, strings.ContainsRune(lostInURLs, r), strings.ContainsRune(separators, r):
			for _, b := range []byte(text[:size]) {
				id = fmt.Appendf(id, "~%02x", b)
			}
		default:
			id = append(id, text[:size]...)
		}

		text = text[size:]
	}

	return id
}
