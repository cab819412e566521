package api

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/godags/godags/internal/term"
)

// Append is written by hand, for speed. encoding/json says what is right, but for the characters
// that a terminal might obey.
func TestEvent_AppendIsWhatEncodingJSONWrites(t *testing.T) {
	text := rapid.OneOf(rapid.String(),
		rapid.Just("\x00\"\\/\b\f\n\r\t\x7f\u2028\u2029<>&\xff\xe6\x97"),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	number := rapid.IntRange(0, 1<<31)
	moment := rapid.Map(rapid.Int64Range(1, 1e13), func(ms int64) time.Time {
		return time.UnixMilli(ms/1000*1000 + 123).UTC() // encoding/json leaves out zeros at the end
	})

	rapid.Check(t, func(t *rapid.T) {
		e := Event{
			Seq: number.Draw(t, "seq"), Time: moment.Draw(t, "time"), Type: text.Draw(t, "type") + "x",
			Run: text.Draw(t, "run"), Pipeline: text.Draw(t, "pipeline"), Stages: number.Draw(t, "stages"),
			Stage: text.Draw(t, "stage"), Attempt: number.Draw(t, "attempt"), Worker: text.Draw(t, "worker"),
			Seconds: float64(rapid.Int64Range(0, 1e12).Draw(t, "µs")) / 1e6, Note: text.Draw(t, "note"),
			Elements: number.Draw(t, "elements"), Error: text.Draw(t, "error"), Reason: text.Draw(t, "reason"),
			Cause: text.Draw(t, "cause"), Digest: text.Draw(t, "digest"), State: text.Draw(t, "state"), Text: text.Draw(t, "text"),
			Counts: rapid.MapOf(rapid.SampledFrom([]string{"failed", "skipped"}), number).Draw(t, "counts"),
		}
		if rapid.Bool().Draw(t, "retrying") {
			e.Next = moment.Draw(t, "next")
		}
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(e); err != nil {
			t.Fatal(err)
		}
		escaped := string(term.EscapeJSON(want.Bytes()))
		if got := string(e.Append(nil)); got != escaped {
			t.Fatalf("got  %swant %s", got, escaped)
		}
	})
}
