package spec

import (
	"encoding/json"
	"strings"
	"testing"
)

func declared() []Param {
	return []Param{
		{Name: "seed", Type: Int, Value: json.RawMessage(`42`)},
		{Name: "mode", Type: String, Value: json.RawMessage(`"full"`)},
		{Name: "rate", Type: Float, Description: "of learning"},
	}
}

func TestGivenValuesComeBeforeDefaults(t *testing.T) {
	bound, err := Bind(declared(), map[string]json.RawMessage{"seed": json.RawMessage(" 7"), "rate": json.RawMessage(`1`)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range bound {
		got = append(got, p.Name+"="+p.Text())
	}
	if all := strings.Join(got, " "); all != "seed=7 mode=full rate=1" {
		t.Error(all)
	}
	if string(declared()[0].Value) != "42" {
		t.Error("the declaration was changed")
	}
}

func TestBindSaysAllThatIsWrong(t *testing.T) {
	_, err := Bind(declared(), map[string]json.RawMessage{"sede": json.RawMessage(`1`), "zzz": json.RawMessage(`1`), "mode": json.RawMessage(`[1, 2]`)})
	want := `parameter "mode" must be a string, not [1,2]
parameter "rate" (float: of learning) must be given: it has no default
parameter "sede" is unknown: did you mean "seed"?
parameter "zzz" is unknown: the pipeline declares seed, mode, rate`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v, want\n%s", err, want)
	}
	if _, err := Bind(nil, map[string]json.RawMessage{"a": nil}); err == nil || err.Error() != `parameter "a" is unknown: the pipeline declares none` {
		t.Error(err)
	}
}

func TestTextOnACommandLine(t *testing.T) {
	for _, c := range []struct{ kind, text, want string }{
		{String, "5", `"5"`},
		{String, "", `""`},
		{String, `a "b"=c`, `"a \"b\"=c"`},
		{Int, "-12", "-12"},
		{Int, " 3", "3"},
		{Int, "", `error: parameter "p" must be an int, not ""`},
		{Int, "1.5", `error: parameter "p" must be an int, not 1.5`},
		{Int, "9223372036854775808", `error: parameter "p" is out of range: 9223372036854775808 does not fit into the 64 bits of an int`},
		{Int, "012", `error: parameter "p" must be an int, not "012"`},
		{Int, "9007199254740993", "9007199254740993"},
		{String, "caf\xe9", `error: parameter "p": it is not UTF-8: byte 5 is "\xe9", in "\"caf\xe9\""`},
		{List, `["\udce9"]`, `error: parameter "p": it has \udce9, half of a surrogate pair, which is no character, in "[\"\\udce9\"]"`},
		{List, `["\u0000", 1e400, -0]`, `["\u0000",1e400,-0]`},
		{Object, `{"a":1,"a":2}`, `error: parameter "p": an object has the name "a" twice`},
		{String, "a\x00b", `error: parameter "p": it has the character U+0000, which no variable of a command can have`},
		{Float, "1", "1"},
		{Float, "1e-3", "1e-3"},
		{Float, "1e999", `error: parameter "p" is out of range: 1e999 does not fit into the 64 bits of a float`},
		{Float, "NaN", `error: parameter "p" must be a float, not "NaN"`},
		{Bool, "true", "true"},
		{Bool, "yes", `error: parameter "p" must be true or false, not "yes"`},
		{Bool, "null", `error: parameter "p" must be true or false, not null`},
		{List, `[1, "a"]`, `[1,"a"]`},
		{List, `{}`, `error: parameter "p" must be a list, not {}`},
		{Object, `{"a": [ ]}`, `{"a":[]}`},
		{Object, `5`, `error: parameter "p" must be an object, not 5`},
		{List, "[" + strings.Repeat(`"a",`, MaxParam/4) + `1]`, `error: parameter "p" has 65539 bytes, and may have 65536: hand over the path of a file`},
	} {
		p := Param{Name: "p", Type: c.kind}
		value, err := p.Check(p.Parse(c.text))
		got := string(value)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s %.50q: got %.200s, want %s", c.kind, c.text, got, c.want)
		}
	}
}

func TestTypeOfADefault(t *testing.T) {
	for value, want := range map[string]string{
		`"a"`: String, `1`: Int, `-1.0`: Float, `1e3`: Float, `false`: Bool, `[]`: List, `{"a":1}`: Object, `null`: "", ``: "", `{`: "",
		`9223372036854775808`: Float, `1e400`: Float, `-1e400`: Float,
	} {
		if got := TypeOf(json.RawMessage(value)); got != want {
			t.Errorf("%s has type %q, want %q", value, got, want)
		}
	}
}

func TestNamesOfVariables(t *testing.T) {
	for name, ok := range map[string]bool{"a": true, "_A9": true, "": false, "9a": false, "a-b": false, "é": false, "A=B": false,
		strings.Repeat("a", 100): true, strings.Repeat("a", 101): false} {
		if err := CheckVariable(name); (err == nil) != ok {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}
