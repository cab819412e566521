package cache

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Codec turns a typed value into bytes and back. It is safe for concurrent use.
type Codec interface {
	// Name is stored with each value: lower-case letters, digits and dashes, at most 32 of them.
	Name() string
	// Encode returns the bytes of v.
	Encode(v any) ([]byte, error)
	// Decode reads data, which it must neither keep nor change, into v, a pointer.
	Decode(data []byte, v any) error
}

var (
	// JSON is package encoding/json, and the default: readable everywhere, for what JSON can express.
	JSON Codec = jsonCodec{}
	// Gob is package encoding/gob: for Go types that JSON loses, such as maps with struct keys, NaN, or complex numbers.
	Gob Codec = gobCodec{}
	// Raw stores a []byte or a string as it is, and nothing else.
	Raw Codec = rawCodec{}
)

type jsonCodec struct{}

func (jsonCodec) Name() string                    { return "json" }
func (jsonCodec) Encode(v any) ([]byte, error)    { return json.Marshal(v) }
func (jsonCodec) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

type gobCodec struct{}

func (gobCodec) Name() string { return "gob" }

func (gobCodec) Encode(v any) ([]byte, error) {
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && p.IsNil() {
		return nil, errors.New("gob has no nil pointer") // package gob panics on it
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (gobCodec) Decode(data []byte, v any) error {
	r := bytes.NewReader(data)
	if err := gob.NewDecoder(r).Decode(v); err != nil {
		return err
	}
	if r.Len() > 0 {
		return fmt.Errorf("%d bytes follow the value", r.Len())
	}
	return nil
}

type rawCodec struct{}

func (rawCodec) Name() string { return "raw" }

func (rawCodec) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return nil, errNotRaw
}

func (rawCodec) Decode(data []byte, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = bytes.Clone(data)
	case *string:
		*v = string(data)
	default:
		return errNotRaw
	}
	return nil
}

var errNotRaw = errors.New("raw takes []byte and string only: use cache.JSON or cache.Gob")
