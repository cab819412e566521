package execution

import (
	"errors"
	"strings"
	"testing"

	"github.com/godags/godags/tasks"
)

// A list is refused by the worker that has made it: an instance could only be given another
// element.
func TestCount_RefusesElementsThatWouldNotArrive(t *testing.T) {
	for _, test := range []struct {
		output   string
		commands bool
		want     string
	}{
		{"raw\n[\"a\", \"caf\xe9.txt\"]", true, `element 1 of the output: it is not UTF-8: byte 5 is "\xe9"`},
		{`raw` + "\n" + `["caf\udce9.txt"]`, true, `element 0 of the output: it has \udce9, half of a surrogate pair`},
		{`raw` + "\n" + `[1,{"a":["\udce9"]}]`, false, "element 1 of the output"},
		{`raw` + "\n" + `["a\u0000b"]`, true, "element 0 of the output: it has the character U+0000"},
		{`raw` + "\n" + `[{"a":1,"a":2}]`, false, `element 0 of the output: an object has the name "a" twice`},
	} {
		_, err := countElements([]byte(test.output), test.commands)
		if err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, tasks.ErrNoRetry) {
			t.Errorf("%q: got %v, want a final error with %q", test.output, err, test.want)
		}
	}
	for output, want := range map[string]int{
		`raw` + "\n" + `[9007199254740993, 1e400, -0, "\ud83d\ude00", {"a":"\u0000"}]`: 5,
		`json` + "\n" + `["a\u0000b"]`: 1,
	} {
		if n, err := countElements([]byte(output), !strings.HasPrefix(output, "json")); err != nil || n != want {
			t.Errorf("%q: got %d, %v, want %d", output, n, err, want)
		}
	}
}
