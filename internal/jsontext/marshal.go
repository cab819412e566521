package jsontext

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Marshal is [json.Marshal], except that text which is not UTF-8 is an error that says where it is.
func Marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if err := Check(data); err != nil {
		return nil, err // a json.Marshaler has written it: all else is replaced
	}

	// encoding/json writes this escape in place of a bad byte, and the character itself where a
	// text has it. A json.Marshaler may write either.
	if bytes.Contains(data, []byte(`\ufffd`)) {
		if err := find(reflect.ValueOf(v), ""); err != nil {
			return nil, err
		}
	}

	return data, nil
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// find returns an error about the first text in v that is not UTF-8. It looks at what encoding/json
// writes, which has found out that there is no cycle.
func find(v reflect.Value, path string) error {
	if !v.IsValid() || v.Type().Implements(jsonMarshaler) {
		return nil
	}

	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return find(v.Elem(), path)
	case reflect.String:
		return at(path, CheckText(v.String()))
	case reflect.Slice, reflect.Array:
		if kind := v.Type().Elem().Kind(); kind >= reflect.Bool && kind <= reflect.Float64 && !v.Type().Elem().Implements(textMarshaler) {
			return nil // numbers, maybe many
		}
		for i := range v.Len() {
			if err := find(v.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}

	case reflect.Map:
		for key, value := range v.Seq2() {
			place := fmt.Sprintf("%s[%q]", path, fmt.Sprint(key))
			if err := find(key, place); err != nil {
				return err
			}
			if err := find(value, place); err != nil {
				return err
			}
		}

	case reflect.Struct:
		return findInStruct(v, path)
	}

	if v.Type().Implements(textMarshaler) && v.CanInterface() {
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err == nil {
			err = at(path, CheckText(string(text)))
		}
		return err
	}

	return nil
}

func findInStruct(v reflect.Value, path string) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Tag.Get("json") == "-" || !field.IsExported() && !field.Anonymous {
			continue
		}
		if err := find(v.Field(i), strings.TrimPrefix(path+"."+field.Name, ".")); err != nil {
			return err
		}
	}

	return nil
}

func at(path string, err error) error {
	if err == nil || path == "" {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
