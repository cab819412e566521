package cache

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/godags/godags/internal/jsontext"
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

// TypeChecker is a [Codec] that knows of some types that it cannot carry their values. A pipeline
// with such a type is not valid.
type TypeChecker interface {
	// CheckType returns an error if no value of type t can be written or, with read, none can be
	// read back.
	CheckType(t reflect.Type, read bool) error
}

var (
	// JSON is package encoding/json, and the default: readable everywhere, for what JSON can
	// express. What package json would change or leave out without an error is an error: text that
	// is not UTF-8, fields that are not exported and hold something, whole numbers beyond what a
	// float64 holds that are read into an interface.
	JSON Codec = jsonCodec{}
	// Gob is package encoding/gob: for Go types that JSON loses, such as maps with struct keys,
	// NaN, or complex numbers. Like JSON, it refuses what would be lost.
	Gob Codec = gobCodec{}
	// Raw stores a []byte or a string as it is, and nothing else.
	Raw Codec = rawCodec{}
)

type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (jsonCodec) CheckType(t reflect.Type, read bool) error { return jsonRules.check(t, read) }

func (jsonCodec) Encode(v any) ([]byte, error) {
	v, err := jsonRules.prepare(v)
	if err != nil {
		return nil, err
	}

	data, err := jsontext.Marshal(v)
	if err != nil {
		return nil, err
	}

	// After package json, which refuses a cycle with a clear error.
	return data, jsonRules.checkValue(v)
}

func (jsonCodec) Decode(data []byte, v any) error {
	// Package json replaces text that is not UTF-8 without an error.
	if err := jsontext.Check(data); err != nil {
		return err
	}

	t, f, err := jsonRules.target(v)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil || !f.loose {
		return err
	}

	// Only a type with an interface in it is decoded twice: a number becomes a float64 there.
	return checkNumbers(data, t)
}

type gobCodec struct{}

func (gobCodec) Name() string { return "gob" }

func (gobCodec) CheckType(t reflect.Type, read bool) error { return gobRules.check(t, read) }

func (gobCodec) Encode(v any) ([]byte, error) {
	// Package gob panics on a nil pointer.
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && p.IsNil() {
		return nil, errors.New("gob has no nil pointer")
	}

	// The value is checked before package gob sees it: a cycle overflows the stack there, which
	// ends the process.
	v, err := gobRules.prepare(v)
	if err == nil {
		err = gobRules.checkValue(v)
	}
	if err != nil {
		return nil, err
	}

	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		return nil, err
	}

	return b.Bytes(), nil
}

func (gobCodec) Decode(data []byte, v any) error {
	if _, _, err := gobRules.target(v); err != nil {
		return err
	}

	r := bytes.NewReader(data)
	if err := gob.NewDecoder(r).Decode(v); err != nil {
		return err
	}

	// Gob stops after the first value, so data with a second one would pass unnoticed.
	if r.Len() > 0 {
		return fmt.Errorf("%d bytes follow the value", r.Len())
	}

	return nil
}

type rawCodec struct{}

func (rawCodec) Name() string { return "raw" }

func (rawCodec) CheckType(t reflect.Type, _ bool) error {
	if t == reflect.TypeFor[[]byte]() || t == reflect.TypeFor[string]() {
		return nil
	}
	return errNotRaw
}

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
		// A codec must not keep data: its memory belongs to the caller.
		*v = bytes.Clone(data)
	case *string:
		*v = string(data)
	default:
		return errNotRaw
	}

	return nil
}

var errNotRaw = errors.New("raw takes []byte and string only: use cache.JSON or cache.Gob")
