package jsontext

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheck_FindsWhatPackageJSONReplaces(t *testing.T) {
	for _, test := range []struct{ data, want string }{
		{"\"caf\xe9.txt\"", `byte 5 is "\xe9"`},
		{`["caf\udce9.txt"]`, `it has \udce9, half of a surrogate pair`},
		{`"\ud83d"`, `it has \ud83d, half`},
		{`"\uD83D\uD83D\uDE00"`, `it has \uD83D, half`},
		{`"\ude00\ud83d"`, `it has \ude00, half`},
		{`{"\ud83d":1}`, "half"},
	} {
		if err := Check([]byte(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", test.data, err, test.want)
		}
	}
	for _, data := range []string{`""`, `"\ud83d\ude00"`, `"\\ud83d"`, `"\\\\udce9"`, `"é\u00e9\ufffd"`, "\"\uFFFD\"", `{"a":[1e400,-0]}`} {
		if err := Check([]byte(data)); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestCheckMembers_FindsNamesThatAreThereTwice(t *testing.T) {
	for _, data := range []string{`{"a":1,"a":2}`, `[{"b":{"a":1,"c":[],"a":{}}}]`, `{"a":1,"\u0061":2}`} {
		if err := CheckMembers([]byte(data)); err == nil || !strings.Contains(err.Error(), `the name "a" twice`) {
			t.Errorf("%s: got %v, want an error", data, err)
		}
	}
	for _, data := range []string{`{}`, `1`, `{"a":"a","b":["b","b"],"c":{"a":1}}`, `[{"a":1},{"a":1}]`, `["a","a"]`} {
		if err := CheckMembers([]byte(data)); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestText(t *testing.T) {
	for value, want := range map[string]string{`"a b"`: "a b", ` "\u00e9"`: "é", `""`: ""} {
		if text, ok := Text(json.RawMessage(value)); !ok || text != want {
			t.Errorf("%s: got %q, %v, want %q", value, text, ok, want)
		}
	}
	for _, value := range []string{"null", "1", `["a"]`, ""} {
		if text, ok := Text(json.RawMessage(value)); ok {
			t.Errorf("%s: got the text %q", value, text)
		}
	}
}

// What Check lets pass, package json reads without putting U+FFFD anywhere, and what Marshal writes
// is read back as it was.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`"a"`, `{"a":"\ud83d\ude00"}`, `"\udce9"`, "\"\xff\"", `"\\ufffd"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		written, err := Marshal(map[string]string{"text": string(data)})
		var back map[string]string
		if valid := utf8.Valid(data); (err == nil) != valid {
			t.Fatalf("Marshal of %q: got error %v, want one: %v", data, err, !valid)
		} else if valid && (json.Unmarshal(written, &back) != nil || back["text"] != string(data)) {
			t.Fatalf("%q became %q", data, back["text"])
		}

		var v any
		if json.Unmarshal(data, &v) != nil {
			return
		}
		replaced := replacements(v) > strings.Count(string(data), "\uFFFD")+strings.Count(strings.ToLower(string(data)), `\ufffd`)
		if err := Check(data); err == nil && replaced {
			t.Fatalf("%q is read as %q", data, v)
		}
		if CheckMembers(data) != nil && !strings.Contains(string(data), "{") {
			t.Fatalf("%q has no object", data)
		}
	})
}

// replacements counts U+FFFD in all texts of v.
func replacements(v any) (n int) {
	switch v := v.(type) {
	case string:
		n = strings.Count(v, "\uFFFD")
	case []any:
		for _, e := range v {
			n += replacements(e)
		}
	case map[string]any:
		for k, e := range v {
			n += replacements(k) + replacements(e)
		}
	}
	return n
}

func TestMarshal_SaysWhereTextIsNotUTF8(t *testing.T) {
	type inner struct{ Name string }
	type outer struct {
		inner
		Rows []map[string]*inner
		Skip string `json:"-"`
	}
	v := outer{Rows: []map[string]*inner{nil, {"k": {"b\xff"}}}, Skip: "\xff"}
	if _, err := Marshal(v); err == nil || !strings.Contains(err.Error(), `Rows[1]["k"].Name: the text is not UTF-8: byte 2 is "\xff"`) {
		t.Errorf("got %v", err)
	}
	v.Rows[1]["k"].Name = "b\uFFFD"
	data, err := Marshal(v)
	var back outer
	if err != nil || json.Unmarshal(data, &back) != nil || !reflect.DeepEqual(back.Rows, v.Rows) {
		t.Errorf("got %+v, %v", back, err)
	}
}
