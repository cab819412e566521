package runstate

import (
	"testing"

	"github.com/godags/godags/cache"
)

// What a command leaves is JSON if it is, as conditions and fan-outs take it; the rest is text, or
// other bytes.
func TestAnOutputIsShownAsWhatItIs(t *testing.T) {
	raw, asJSON := cache.Raw.Name(), cache.JSON.Name()
	for _, c := range []struct{ codec, payload, want string }{
		{raw, "{\"rows\": 3}\n", `{"rows": 3}`},
		{raw, " [1,\n 2]\r\n", "[1,\n 2]"},
		{raw, "3\n", `3`},
		{raw, "null\n", `null`},
		{raw, "\"quoted\"\n", `"quoted"`},
		{raw, "bread\n", `"bread\n"`},
		{raw, "007\n", `"007\n"`},
		{raw, "{\"rows\": 3}\n{\"rows\": 4}\n", `"{\"rows\": 3}\n{\"rows\": 4}\n"`},
		{raw, "", `""`},
		{raw, "\xff", `{"base64":"/w==","codec":"raw"}`},
		{raw, "\"\xff\"", `{"base64":"Iv8i","codec":"raw"}`},
		{asJSON, `{"a":1}`, `{"a":1}`},
		{asJSON, "\"\xff\"", `{"base64":"Iv8i","codec":"json"}`},
		{"gob", "{}", `{"base64":"e30=","codec":"gob"}`},
	} {
		got, err := toJSON([]byte(c.codec + "\n" + c.payload))
		if err != nil || string(got) != c.want {
			t.Errorf("%s %q: got %s, %v, want %s", c.codec, c.payload, got, err, c.want)
		}
	}
}
