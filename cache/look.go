package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
)

// looker goes through a value.
type looker struct {
	*rules
	above map[place]bool // pointers, maps and slices that what is looked at is in
}

type place struct {
	of  reflect.Type
	at  uintptr
	len int
}

var errCycle = errors.New("the value is part of itself: no codec can write it")

func (l *looker) value(v reflect.Value, path string, inField bool) error {
	t := v.Type()
	kind := t.Kind()

	// Gob sends no zero values, so it cannot tell a pointer to one from nil.
	if l.gob && inField && kind == reflect.Pointer && !v.IsNil() && v.Elem().IsZero() && l.writesItself(t.Elem()) == nil {
		return at(path, fmt.Errorf("gob makes nil of a pointer to %#v: use cache.JSON", v.Elem()))
	}

	// Most types can lose nothing. Their values, such as a long []float64, are not walked.
	if !l.of(t).look || kind != reflect.Pointer && kind != reflect.Interface && l.writesItself(t) != nil {
		return nil
	}

	switch kind {
	case reflect.Interface:
		return l.dynamic(v.Elem(), path)
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return l.inside(v, 0, path, func() error { return l.value(v.Elem(), path, inField) })

	case reflect.Slice:
		return l.inside(v, v.Len(), path, func() error { return l.elements(v, path) })
	case reflect.Array:
		return l.elements(v, path)
	case reflect.Map:
		return l.inside(v, 0, path, func() error { return l.entries(v, path) })
	case reflect.Struct:
		return l.fields(v, path)
	}

	return nil
}

// inside looks at what v refers to, unless v is in that itself.
func (l *looker) inside(v reflect.Value, length int, path string, do func() error) error {
	// The length is part of the place: a slice and its own beginning share their address, and a
	// slice that holds a shorter one of itself is no cycle.
	here := place{v.Type(), v.Pointer(), length}
	if l.above[here] && here.at != 0 {
		return at(path, errCycle)
	}

	if l.above == nil {
		l.above = make(map[place]bool)
	}

	l.above[here] = true
	defer delete(l.above, here)
	return do()
}

// dynamic looks at what an interface holds: its type is met here first.
func (l *looker) dynamic(v reflect.Value, path string) error {
	if !v.IsValid() {
		return nil
	}

	// The type of the value was unknown when the pipeline was checked.
	t := v.Type()
	if err := l.of(t).write; err != nil {
		return at(path, err)
	}

	if l.of(t).byAddress && t.Kind() != reflect.Pointer {
		return at(path, fmt.Errorf("an interface holds a %v, some methods of which need a pointer: let it hold a pointer", t))
	}

	// Without a path it is the value itself, which is read into a variable of its type.
	if path != "" && !l.gob && !survivesAsFloat(v) {
		return at(path, fmt.Errorf("an interface holds the number %v, which JSON reads back as another one: use a field of type %v, or cache.Gob", v, t))
	}

	return l.value(v, path, false)
}

// survivesAsFloat is false for a whole number that is not the same as a float64, which is what JSON
// makes of it in an interface.
func survivesAsFloat(v reflect.Value) bool {
	switch {
	// A type that writes itself may write its number as text.
	case v.Type().Implements(jsonRules.writers[0]) || v.Type().Implements(jsonRules.writers[1]):
		return true
	case v.CanInt():
		return exactFloat(big.NewInt(v.Int()))
	case v.CanUint():
		return exactFloat(new(big.Int).SetUint64(v.Uint()))
	}

	return true
}

func exactFloat(i *big.Int) bool {
	_, accuracy := new(big.Float).SetInt(i).Float64()
	return accuracy == big.Exact
}

func (l *looker) elements(v reflect.Value, path string) error {
	for i := range v.Len() {
		if err := l.value(v.Index(i), path+"["+strconv.Itoa(i)+"]", false); err != nil {
			return err
		}
	}
	return nil
}

func (l *looker) entries(v reflect.Value, path string) error {
	for key, value := range v.Seq2() {
		here := fmt.Sprintf("%s[%.40q]", path, fmt.Sprint(key))
		// Keys of JSON are text, which cannot lose anything here.
		if l.gob {
			if err := l.value(key, here, false); err != nil {
				return err
			}
		}

		if err := l.value(value, here, false); err != nil {
			return err
		}
	}

	return nil
}

func (l *looker) fields(v reflect.Value, path string) error {
	p := l.plan(v.Type())
	for _, index := range p.lost {
		field, err := v.FieldByIndexErr(index)
		if err != nil || field.IsZero() {
			continue // an embedded pointer that is nil, or nothing to lose
		}
		f := v.Type().FieldByIndex(index)
		return at(path+"."+f.Name, fmt.Errorf("%s", l.whyLost(f)))
	}

	for _, i := range p.carried {
		f := v.Type().Field(i)
		err := error(nil)
		switch inner := v.Field(i); {
		case !p.flat(f):
			err = l.value(inner, path+"."+f.Name, true)
		case inner.Kind() == reflect.Struct:
			err = l.fields(inner, path)
		case !inner.IsNil():
			err = l.inside(inner, 0, path, func() error { return l.fields(inner.Elem(), path) })
		}
		if err != nil {
			return err
		}
	}

	return nil
}

func (r *rules) whyLost(f reflect.StructField) string {
	switch {
	case !f.IsExported() && r.gob:
		return "it is not exported and holds something, which would be lost: export it, or give the type GobEncode and GobDecode"
	case !f.IsExported():
		return "it is not exported and holds something, which would be lost: export it, or give the type MarshalJSON and UnmarshalJSON"
	case r.gob:
		return "gob leaves out functions and channels: pass the data that they are made from"
	}

	return "another field of that name in JSON hides it: give it a tag such as json:\"other_name\""
}

// checkNumbers returns an error if data, which was read into a value of type t, has a whole number
// that an interface in the value holds as another one.
func checkNumbers(data []byte, t reflect.Type) error {
	if !hasLongNumber(data) {
		return nil
	}

	// A second time, as json.Number, which keeps the digits. This is slow, but few values have such
	// numbers.
	again := reflect.New(t)
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(again.Interface()); err != nil {
		return err
	}

	return numbers(again.Elem(), "")
}

// hasLongNumber reports whether there are as many digits in a row as the least number has that a
// float64 may not hold.
func hasLongNumber(data []byte) bool {
	const digits = 16
	run := 0
	for _, c := range data {
		if c < '0' || c > '9' {
			run = 0
			continue
		}
		if run++; run == digits {
			return true
		}
	}

	return false
}

// isExact is false for a whole number that is another one as a float64. One that a float64 is
// written as is the same: only so many digits count.
func isExact(number string) bool {
	i, whole := new(big.Int).SetString(number, 10)
	if !whole || exactFloat(i) {
		return true
	}
	f, err := strconv.ParseFloat(number, 64)
	return err == nil && strconv.FormatFloat(f, 'f', -1, 64) == number
}

var number = reflect.TypeFor[json.Number]()

// numbers looks for numbers in interfaces.
func numbers(v reflect.Value, path string) error {
	if !jsonRules.of(v.Type()).loose {
		return nil
	}

	switch v.Kind() {
	case reflect.Interface:
		v = v.Elem()
		if !v.IsValid() || v.Type() != number {
			break
		}
		if !isExact(v.String()) {
			return at(path, fmt.Errorf("the number %.40s would become another one, as an interface gets it as a float64: use a field of type int64, uint64 or json.Number", v))
		}
		return nil

	case reflect.Pointer:
		v = v.Elem()
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := numbers(v.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return nil

	case reflect.Map:
		for key, value := range v.Seq2() {
			if err := numbers(value, fmt.Sprintf("%s[%.40q]", path, fmt.Sprint(key))); err != nil {
				return err
			}
		}
		return nil

	case reflect.Struct:
		for i := range v.NumField() {
			if err := numbers(v.Field(i), path+"."+v.Type().Field(i).Name); err != nil {
				return err
			}
		}
		return nil
	}

	if !v.IsValid() {
		return nil
	}

	return numbers(v, path)
}
