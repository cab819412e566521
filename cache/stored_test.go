package cache_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/godags/godags/cache"
)

type split struct {
	Train, Test [][]float64
	Names       map[string]int
}

var someSplit = split{Train: [][]float64{{1, 2.5}}, Names: map[string]int{"<ä>": 3}}

func TestMarshalRoundTrip(t *testing.T) {
	for _, test := range []struct {
		codec cache.Codec
		value any
	}{
		{cache.JSON, someSplit},
		{cache.JSON, 7},
		{cache.JSON, ""},
		{cache.JSON, map[string]any(nil)},
		{cache.Gob, someSplit},
		{cache.Gob, math.Inf(1)},
		{cache.Gob, map[[2]int]complex128{{1, 2}: 3i}},
		{cache.Raw, []byte("\x00\n\xff")},
		{cache.Raw, []byte{}},
		{cache.Raw, "text\n"},
	} {
		data, err := cache.Marshal(test.codec, test.value)
		if err != nil {
			t.Errorf("Marshal(%v): %v", test.value, err)
			continue
		}
		got := reflect.New(reflect.TypeOf(test.value))
		if err := cache.Unmarshal(data, got.Interface()); err != nil {
			t.Errorf("Unmarshal(%q): %v", data, err)
		}
		if !reflect.DeepEqual(got.Elem().Interface(), test.value) {
			t.Errorf("codec %s: got %#v, want %#v", test.codec.Name(), got.Elem(), test.value)
		}
		if name, _, err := cache.Split(data); err != nil || name != test.codec.Name() {
			t.Errorf("Split(%q): got %q, %v", data, name, err)
		}
	}
}

func TestStoredFormCanBeReadByPeople(t *testing.T) {
	for want, codec := range map[string]cache.Codec{"json\n\"hello\"": cache.JSON, "raw\nhello": cache.Raw} {
		if got, err := cache.Marshal(codec, "hello"); err != nil || string(got) != want {
			t.Errorf("got %q and error %v, want %q", got, err, want)
		}
	}
}

func TestRawIsCopied(t *testing.T) {
	data := []byte("raw\nhello")
	var got []byte
	if err := cache.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	copy(data, "xxxxxxxxx")
	if string(got) != "hello" {
		t.Errorf("got %q after a change of the stored form, want hello", got)
	}
}

// shouting is a codec of a user's own.
type shouting struct{ name string }

func (c shouting) Name() string                    { return c.name }
func (c shouting) Encode(v any) ([]byte, error)    { return []byte(strings.ToUpper(fmt.Sprint(v))), nil }
func (c shouting) Decode(data []byte, v any) error { *v.(*string) = string(data); return nil }

func TestUsersOwnCodec(t *testing.T) {
	// the reader's codec comes before the built-in one
	for _, name := range []string{"shouting-2", "json"} {
		data, err := cache.Marshal(shouting{name}, "hello")
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := cache.Unmarshal(data, &got, shouting{"other"}, shouting{name}); err != nil || got != "HELLO" {
			t.Errorf("codec %s: got %q, %v", name, got, err)
		}
	}
}

func TestCodecErrors(t *testing.T) {
	marshal := func(c cache.Codec, v any) error { _, err := cache.Marshal(c, v); return err }
	unmarshal := func(data string, v any) error { return cache.Unmarshal([]byte(data), v) }
	for _, test := range []struct {
		err  error
		want string
	}{
		{marshal(cache.JSON, math.NaN()), `cache: encode float64 with codec "json": json: unsupported value: NaN`},
		{marshal(cache.Gob, (*split)(nil)), `cache: encode *cache_test.split with codec "gob": gob has no nil pointer`},
		{marshal(cache.Gob, nil), `cache: encode <nil> with codec "gob": gob: cannot encode nil value`},
		{marshal(cache.Raw, 7), `cache: encode int with codec "raw": raw takes []byte and string only: use cache.JSON or cache.Gob`},
		{marshal(shouting{"Loud"}, ""), `cache: illegal codec name "Loud": use 1 to 32 lower-case letters, digits and dashes`},
		{marshal(shouting{""}, ""), `cache: illegal codec name "": use`},
		{marshal(shouting{strings.Repeat("a", 33)}, ""), `cache: illegal codec name "aaa`},
		{unmarshal("json\n\"text\"", new(split)), `cache: decode into *cache_test.split with codec "json": json: cannot unmarshal string into Go value of type cache_test.split`},
		{unmarshal("json\n{} {}", new(split)), `cache: decode into *cache_test.split with codec "json": invalid character`},
		{unmarshal("gob\nnonsense", new(split)), `cache: decode into *cache_test.split with codec "gob": `},
		{unmarshal("gob\n\x03\x04\x00\x02more", new(int)), `cache: decode into *int with codec "gob": 4 bytes follow the value`},
		{unmarshal("raw\n7", new(int)), `cache: decode into *int with codec "raw": raw takes []byte and string only`},
		{unmarshal("parquet\n...", new(int)), `cache: unknown codec "parquet": the reader of this value must be given the codec that wrote it`},
		{unmarshal("json\n1", 7), `cache: decode into int: need a pointer that is not nil`},
		{unmarshal("json\n1", nil), `cache: decode into <nil>: need a pointer that is not nil`},
		{unmarshal("json\n1", (*int)(nil)), `cache: decode into *int: need a pointer that is not nil`},
		{unmarshal("", new(int)), `cache: not the stored form of a value: `},
		{unmarshal("\n", new(int)), `cache: not the stored form of a value: `},
		{unmarshal("{\"rows\":178}\n", new(int)), `cache: not the stored form of a value: `},
		{unmarshal(strings.Repeat("a", 33)+"\n", new(int)), `cache: not the stored form of a value: `},
	} {
		if test.err == nil || !strings.HasPrefix(test.err.Error(), test.want) {
			t.Errorf("got  %v\nwant %s", test.err, test.want)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, codec := range []cache.Codec{cache.JSON, cache.Gob} {
		data, err := cache.Marshal(codec, someSplit)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("raw\nhello"))
	f.Add([]byte("parquet\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		name, payload, err := cache.Split(data)
		if err == nil && name+"\n"+string(payload) != string(data) {
			t.Errorf("Split(%q): got %q and %q", data, name, payload)
		}
		for _, v := range []any{new(split), new(any), new([]byte), new(string)} {
			if cache.Unmarshal(data, v) == nil && err != nil {
				t.Errorf("Unmarshal(%q) reads what Split does not: %v", data, err)
			}
		}
	})
}
