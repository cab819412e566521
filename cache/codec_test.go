package cache_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/godags/godags/cache"
)

type (
	pair    struct{ a, b int }
	partial struct {
		Rows []int
		memo map[string]int
	}
	locked struct {
		sync.Mutex
		Rows []int
	}
	stamped struct {
		time.Time
		Rows int
	}
	base      struct{ ID int }
	shadowing struct {
		base
		ID string
	}
	left  struct{ X int }
	right struct{ X int }
	twins struct {
		left
		right
	}
	onlyWriter struct{ c float64 }
	amount     struct{ N big.Int }
	list       struct{ Next *list }
	embedding  struct{ *base }
	optional   struct {
		N *int
		T *time.Time
	}
	callback struct{ F func() }
	tagged   struct {
		F    func() `json:",omitzero"`
		Left int    `json:"-"`
		N    int
	}
	anything struct{ V any }
	failure  struct{ Err error }
)

func (w onlyWriter) MarshalJSON() ([]byte, error) { return json.Marshal(w.c) }

func check[T any](c cache.Codec) error {
	return c.(cache.TypeChecker).CheckType(reflect.TypeFor[T](), true)
}

func TestCodec_RefusesTypesNoValueOfWhichArrives(t *testing.T) {
	for want, err := range map[string]error{
		"has no exported fields":                   check[pair](cache.JSON),
		"pair has no exported fields, so nothing":  check[map[string][]*pair](cache.JSON),
		"a func() cannot be passed":                check[func()](cache.JSON),
		"field F: a func() cannot be passed":       check[[]callback](cache.JSON),
		"a chan int cannot be passed":              check[chan int](cache.JSON),
		"use cache.Gob":                            check[complex128](cache.JSON),
		"as keys: use cache.Gob":                   check[map[base]int](cache.JSON),
		"of its field Time, which leaves out":      check[stamped](cache.JSON),
		"no UnmarshalJSON to read it back":         check[onlyWriter](cache.JSON),
		"not say which type to make of a error":    check[[]error](cache.JSON),
		"field base: JSON cannot be read into":     check[embedding](cache.JSON),
		"use a map of pointers":                    check[map[string]amount](cache.JSON),
		"pair has no exported fields: export them": check[pair](cache.Gob),
		"struct {} has no exported fields":         check[struct{}](cache.Gob),
		"gob reads an interface only in a field":   check[any](cache.Gob),
		"has the method GobEncode of its field":    check[stamped](cache.Gob),
		"takes []byte and string only":             check[int](cache.Raw),
		"raw takes []byte and string only":         check[json.RawMessage](cache.Raw),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestCodec_TakesTypesThatArrive(t *testing.T) {
	for name, err := range map[string]error{
		"struct{}": check[struct{}](cache.JSON), "any": check[any](cache.JSON), "map of any": check[map[string]any](cache.JSON), "time": check[time.Time](cache.JSON),
		"partial": check[partial](cache.JSON), "locked": check[*locked](cache.JSON), "list": check[list](cache.JSON), "amount": check[amount](cache.JSON),
		"addresses": check[map[netip.Addr]netip.Prefix](cache.JSON), "raw message": check[json.RawMessage](cache.JSON), "number": check[json.Number](cache.JSON),
		"tagged": check[tagged](cache.JSON), "failure": check[failure](cache.JSON), "anything": check[anything](cache.JSON), "bytes": check[[]byte](cache.JSON),
		"url": check[url.URL](cache.JSON), "big": check[*big.Int](cache.JSON), "shadowing": check[shadowing](cache.JSON),
		"gob map": check[map[base]complex64](cache.Gob), "gob time": check[time.Time](cache.Gob), "gob list": check[list](cache.Gob), "gob any": check[anything](cache.Gob),
		"raw bytes": check[[]byte](cache.Raw), "raw text": check[string](cache.Raw), "callback": check[struct {
			F func()
			N int
		}](cache.Gob),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// cycle is a list that is part of itself.
func cycle() *list {
	l := new(list)
	l.Next = &list{l}
	return l
}

func TestCodec_RefusesValuesThatWouldNotArrive(t *testing.T) {
	zero := 0
	own := []any{nil}
	own[0] = own
	for _, test := range []struct {
		codec cache.Codec
		value any
		want  string
	}{
		{cache.JSON, math.NaN(), "unsupported value: NaN"},
		{cache.JSON, []float64{math.Inf(1)}, "unsupported value"},
		{cache.JSON, "caf\xe9.txt", `the text is not UTF-8: byte 4 is "\xe9"`},
		{cache.JSON, map[string][]anything{"a": {{}, {"\xff"}}}, `"a"][1].V: the text is not UTF-8`},
		{cache.JSON, map[string]int{"\xff": 1}, "the text is not UTF-8"},
		{cache.JSON, json.RawMessage("\"\xff\""), "it is not UTF-8"},
		{cache.JSON, json.RawMessage(`"\udce9"`), "half of a surrogate pair"},
		{cache.JSON, pair{1, 2}, "no exported fields"},
		{cache.JSON, any([]any{pair{}}), "field [0]: cache_test.pair has no exported fields"},
		{cache.JSON, []partial{{}, {memo: map[string]int{"a": 1}}}, "field [1].memo: it is not exported"},
		{cache.JSON, url.URL{User: url.UserPassword("a", "b")}, "field User.username: it is not exported"},
		{cache.JSON, shadowing{base{1}, "x"}, "field ID: another field of that name"},
		{cache.JSON, twins{right: right{1}}, "field X: another field of that name"},
		{cache.JSON, map[string]any{"n": int64(1<<53 + 1)}, "holds the number 9007199254740993"},
		{cache.JSON, anything{uint64(math.MaxUint64)}, "field V: an interface holds the number 18446744073709551615"},
		{cache.JSON, anything{amount{*big.NewInt(7)}}, "field V: an interface holds a cache_test.amount"},
		{cache.JSON, failure{errors.New("x")}, "field Err: errors.errorString has no exported fields"},
		{cache.JSON, cycle(), "cycle"},
		{cache.JSON, time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), "year"},
		{cache.Gob, cycle(), "part of itself"},
		{cache.Gob, anything{own}, "part of itself"},
		{cache.Gob, optional{N: &zero}, "field N: gob makes nil of a pointer to 0"},
		{cache.Gob, []partial{{memo: map[string]int{"a": 1}}}, "field [0].memo: it is not exported"},
		{cache.Gob, callbackBeside{func() {}, 1}, "field F: gob leaves out functions"},
		{cache.Gob, map[keyed]int{{1, 2}: 1}, "field [\"{1 2}\"].b: it is not exported"},
		{cache.Gob, pair{1, 2}, "no exported fields"},
		{cache.Raw, 1, "raw takes []byte and string only"},
	} {
		data, err := cache.Marshal(test.codec, test.value)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %T: got %q and error %v, want an error with %q", test.codec.Name(), test.value, data, err, test.want)
		}
	}
}

type callbackBeside struct {
	F func()
	N int
}

type keyed struct {
	A int
	b int
}

// arrives returns what a value is after its way through a codec.
func arrives[T any](c cache.Codec, v T) (got T, err error) {
	data, err := cache.Marshal(c, v)
	if err == nil {
		err = cache.Unmarshal(data, &got)
	}
	return got, err
}

func wantArrives[T any](t *testing.T, c cache.Codec, v T) {
	t.Helper()
	if got, err := arrives(c, v); err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("%s: %#v became %#v: %v", c.Name(), v, got, err)
	}
}

func TestCodec_ValuesArriveAsTheyWere(t *testing.T) {
	seven := 7
	wantArrives(t, cache.JSON, "\uFFFD and \\ufffd")
	wantArrives(t, cache.JSON, json.RawMessage(`"\ufffd"`))
	wantArrives(t, cache.JSON, map[string]int64{"n": 1<<53 + 1})
	wantArrives(t, cache.JSON, map[string]any{"n": float64(1 << 53), "t": "9007199254740993", "d": 0.12345678901234568})
	wantArrives(t, cache.JSON, struct {
		ID    uint64
		Extra any
	}{math.MaxUint64, 1.5})
	wantArrives(t, cache.JSON, amount{*big.NewInt(7)})
	wantArrives(t, cache.JSON, []amount{{*big.NewInt(7)}})
	wantArrives(t, cache.JSON, tagged{N: 1})
	wantArrives(t, cache.JSON, failure{})
	wantArrives(t, cache.JSON, partial{Rows: []int{1}})
	wantArrives(t, cache.JSON, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	wantArrives(t, cache.JSON, json.Number("1e400"))
	wantArrives(t, cache.JSON, [3]byte{0, 255, 7})
	wantArrives(t, cache.Gob, map[base]complex64{{1}: 2i})
	wantArrives(t, cache.Gob, "caf\xe9.txt")
	wantArrives(t, cache.Gob, optional{N: &seven})
	wantArrives(t, cache.Gob, list{&list{}}.Next)
	wantArrives(t, cache.Raw, []byte{0, 255, '\n'})
	if got, err := arrives(cache.JSON, math.Copysign(0, -1)); err != nil || !math.Signbit(got) {
		t.Errorf("-0 became %v: %v", got, err)
	}
	if got, err := arrives(cache.Gob, math.NaN()); err != nil || !math.IsNaN(got) {
		t.Errorf("NaN became %v: %v", got, err)
	}
	if data, err := cache.Marshal(cache.JSON, &locked{}); err != nil || string(data) != "json\n{\"Rows\":null}" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestCodec_ReadsNothingThatItWouldChange(t *testing.T) {
	for _, test := range []struct {
		stored string
		into   any
		want   string
	}{
		{"json\n\"caf\xe9\"", new(string), "not UTF-8"},
		{`json` + "\n" + `{"a":"\ud83d"}`, new(map[string]string), "half of a surrogate pair"},
		{`json` + "\n" + `"\ude00\ud83d"`, new(any), "half of a surrogate pair"},
		{"json\n9007199254740993", new(any), "number 9007199254740993 would become another one"},
		{`json` + "\n" + `{"V":[{"n":-9007199254740993}]}`, new(anything), `field V[0]["n"]: the number -9007199254740993`},
		{"json\n1e400", new(any), "1e400"},
		{"json\n256", new(uint8), "256"},
		{"json\n{}", new(onlyWriter), "no UnmarshalJSON"},
		{"json\n{}", new(pair), "no exported fields"},
	} {
		if err := cache.Unmarshal([]byte(test.stored), test.into); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q into %T: got %v, want an error with %q", test.stored, test.into, err, test.want)
		}
	}
	for stored, into := range map[string]any{
		`"\ud83d\ude00 \\ud800"`:    new(string),
		"9007199254740992":          new(any),
		`[9007199254740993]`:        new([]int64),
		`"9007199254740993"`:        new(any),
		`{"V":0.12345678901234567}`: new(anything),
	} {
		if err := cache.Unmarshal([]byte("json\n"+stored), into); err != nil {
			t.Errorf("%s into %T: %v", stored, into, err)
		}
	}
}

// Any text, number or list arrives as it was, or is refused; nothing arrives changed.
func TestCodec_NothingArrivesChanged(t *testing.T) {
	type record struct {
		Text  string
		Bytes []byte
		Int   int64
		Uint  uint64
		Float float64
		Named map[string]string
		Loose map[string]any
		rest  string
	}
	text := rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 0, 6).Draw(t, "bytes")) })
	number := rapid.OneOf(rapid.Map(rapid.Int64(), func(i int64) any { return i }), rapid.Map(rapid.Uint64(), func(i uint64) any { return i }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }))
	rapid.Check(t, func(t *rapid.T) {
		v := record{Text: text.Draw(t, "text"), Bytes: append([]byte{1}, text.Draw(t, "raw")...), Int: rapid.Int64().Draw(t, "int"), Uint: rapid.Uint64().Draw(t, "uint"), Float: rapid.Float64().Draw(t, "float"),
			Named: map[string]string{text.Draw(t, "key"): text.Draw(t, "value")}, Loose: map[string]any{"n": number.Draw(t, "number")},
			rest: rapid.SampledFrom([]string{"", "", "x"}).Draw(t, "rest")}
		got, err := arrives(cache.JSON, v)
		valid := utf8.ValidString(v.Text) && v.rest == ""
		for key, value := range v.Named {
			valid = valid && utf8.ValidString(key) && utf8.ValidString(value)
		}
		loose, wantLoose := got.Loose["n"], v.Loose["n"]
		switch n := wantLoose.(type) {
		case int64:
			valid = valid && big.NewInt(int64(float64(n))).Cmp(big.NewInt(n)) == 0 && float64(n) < 1<<63
			wantLoose = float64(n)
		case uint64:
			valid = valid && float64(n) < 1<<64 && uint64(float64(n)) == n
			wantLoose = float64(n)
		}
		if (err == nil) != valid {
			t.Fatalf("%#v: error %v, want one: %v", v, err, !valid)
		}
		v.Loose, got.Loose = nil, nil
		if err == nil && (!reflect.DeepEqual(got, v) || loose != wantLoose) {
			t.Fatalf("%#v became %#v, %v became %v", v, got, wantLoose, loose)
		}

		v.rest = ""
		if got, err := arrives(cache.Gob, v); err != nil || !reflect.DeepEqual(got, v) {
			t.Fatalf("gob: %#v became %#v: %v", v, got, err)
		}
		if got, err := arrives(cache.Raw, v.Text); err != nil || got != v.Text {
			t.Fatalf("raw: %q became %q: %v", v.Text, got, err)
		}
	})
}
