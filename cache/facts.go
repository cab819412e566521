package cache

import (
	"encoding"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// encoding/json and encoding/gob leave out, without an error, what they cannot carry: unexported
// fields, fields that another one hides, what stands beside an embedded field whose MarshalJSON is
// promoted. The types say where that can happen, once, and values are looked at only there.

// facts are what the type of a value says about its way through a codec.
type facts struct {
	write error // why no value of the type can be written
	read  error // why none can be read back
	look  bool  // only some values can be written, so each is looked at
	loose bool  // there is an interface in it that JSON reads numbers into as float64

	// A method with a pointer as its receiver writes the value or a part of it. It is called only
	// for what has an address.
	byAddress bool
}

// rules are what a codec carries.
type rules struct {
	gob     bool
	writers []reflect.Type // interfaces of types that write themselves
	readers []reflect.Type // and that read themselves
	known   sync.Map       // facts by reflect.Type
	plans   sync.Map       // plans by reflect.Type of a struct
}

var (
	jsonRules = &rules{
		writers: []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()},
		readers: []reflect.Type{reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()},
	}
	gobRules = &rules{
		gob:     true,
		writers: []reflect.Type{reflect.TypeFor[gob.GobEncoder](), reflect.TypeFor[encoding.BinaryMarshaler]()},
		readers: []reflect.Type{reflect.TypeFor[gob.GobDecoder](), reflect.TypeFor[encoding.BinaryUnmarshaler]()},
	}
)

// of returns the facts of a type.
func (r *rules) of(t reflect.Type) *facts {
	if known, ok := r.known.Load(t); ok {
		return known.(*facts)
	}
	s := survey{rules: r, facts: new(facts), seen: make(map[reflect.Type]bool)}
	s.visit(t, "", false)
	known, _ := r.known.LoadOrStore(t, s.facts)
	return known.(*facts)
}

// check implements [TypeChecker].
func (r *rules) check(t reflect.Type, read bool) error {
	f := r.of(t)
	if f.write != nil || !read {
		return f.write
	}
	return f.read
}

// prepare returns v, or its address if some of its methods need that, unless no value of its type
// can be written.
func (r *rules) prepare(v any) (any, error) {
	if v == nil {
		return nil, nil
	}

	t := reflect.TypeOf(v)
	f := r.of(t)
	if f.write != nil || !f.byAddress || t.Kind() == reflect.Pointer {
		return v, f.write
	}

	address := reflect.New(t)
	address.Elem().Set(reflect.ValueOf(v))
	return address.Interface(), nil
}

// checkValue returns an error about what would not arrive of v.
func (r *rules) checkValue(v any) error {
	if v == nil || !r.of(reflect.TypeOf(v)).look {
		return nil
	}
	l := looker{rules: r}
	return l.dynamic(reflect.ValueOf(v), "")
}

// target returns the type of what v points to, which is to be read, and its facts.
func (r *rules) target(v any) (reflect.Type, *facts, error) {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return nil, nil, fmt.Errorf("decode into %v: need a pointer", t)
	}
	f := r.of(t.Elem())
	return t.Elem(), f, f.read
}

// survey collects the facts of a type from all that is in it.
type survey struct {
	*rules
	*facts
	seen map[reflect.Type]bool
}

func (s *survey) cannotWrite(path string, format string, args ...any) {
	if s.write == nil {
		s.write = at(path, fmt.Errorf(format, args...))
	}
}

func (s *survey) cannotRead(path string, format string, args ...any) {
	if s.read == nil {
		s.read = at(path, fmt.Errorf(format, args...))
	}
}

// at says which part of a value an error is about.
func at(path string, err error) error {
	if path == "" {
		return err
	}
	return fmt.Errorf("field %s: %w", strings.TrimPrefix(path, "."), err)
}

// visit adds what t says. inField is true in a field of a struct, which may be empty in all values.
func (s *survey) visit(t reflect.Type, path string, inField bool) {
	if s.seen[t] {
		// a value may be part of itself, which package gob does not survive
		s.look = s.look || s.gob
		return
	}

	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && s.writesItself(t) != nil {
		s.visitWriter(t, path)
		return
	}

	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		s.cannotWrite(path, "a %v cannot be passed to another stage: pass the data that it is made from", t)
	case reflect.Complex64, reflect.Complex128:
		if !s.gob {
			s.cannotWrite(path, "JSON has no complex numbers: use cache.Gob")
		}
	case reflect.Interface:
		s.look = true
		s.loose = s.loose || !s.gob && t.NumMethod() == 0
		switch {
		case s.gob && path == "":
			s.cannotRead(path, "gob reads an interface only in a field: wrap %v in a struct, or use cache.JSON", t)
		case !s.gob && t.NumMethod() > 0 && !inField:
			s.cannotRead(path, "JSON does not say which type to make of a %v: use a type that is not an interface", t)
		}

	case reflect.Pointer, reflect.Slice, reflect.Array:
		s.look = s.look || s.gob && t.Kind() == reflect.Pointer && inField
		byAddress := s.byAddress
		s.inside(t, func() { s.visit(t.Elem(), path, inField && t.Kind() != reflect.Slice) })
		if t.Kind() != reflect.Array {
			s.byAddress = byAddress // what is in it has an address
		}

	case reflect.Map:
		s.inside(t, func() { s.visitMap(t, path) })
	case reflect.Struct:
		s.inside(t, func() { s.visitStruct(t, path, inField) })
	}
}

// inside visits what is in t. Types that are in themselves are not visited again there.
func (s *survey) inside(t reflect.Type, visit func()) {
	s.seen[t] = true
	visit()
	delete(s.seen, t)
}

// writesItself returns the interface by which values of t, or their addresses, write themselves, or
// nil.
func (r *rules) writesItself(t reflect.Type) reflect.Type { return implemented(t, r.writers) }

func implemented(t reflect.Type, interfaces []reflect.Type) reflect.Type {
	for _, i := range interfaces {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return i
		}
	}
	return nil
}

func (s *survey) visitWriter(t reflect.Type, path string) {
	writer := s.writesItself(t)
	s.byAddress = s.byAddress || !t.Implements(writer)
	if field := promotedFrom(t, writer); field != "" {
		s.cannotWrite(path, "%v has the method %s of its field %s, which leaves out its other fields: give the field a name, or %v a method",
			t, writer.Method(0).Name, field, t)
	}

	if implemented(t, s.readers) == nil {
		s.cannotRead(path, "%v has the method %s, and no %s to read it back", t, writer.Method(0).Name, s.readers[slices.Index(s.writers, writer)].Method(0).Name)
	}
}

// promotedFrom returns the embedded field whose method writes a struct that has other fields too,
// or "".
func promotedFrom(t, writer reflect.Type) string {
	if t.Kind() != reflect.Struct || t.NumField() < 2 {
		return ""
	}

	method, found := t.MethodByName(writer.Method(0).Name)
	if !found {
		method, _ = reflect.PointerTo(t).MethodByName(writer.Method(0).Name)
	}

	code := method.Func.Pointer()
	if file, _ := runtime.FuncForPC(code).FileLine(code); file != "<autogenerated>" {
		return "" // it was written for t
	}

	field := ""
	others := 0
	for f := range t.Fields() {
		switch {
		case f.Anonymous && field == "" && (f.Type.Implements(writer) || reflect.PointerTo(f.Type).Implements(writer)):
			field = f.Name
		case !carriesNothing(f):
			others++
		}
	}

	if others == 0 {
		return ""
	}

	return field
}

func (s *survey) visitMap(t reflect.Type, path string) {
	key := t.Key()
	elem := t.Elem()
	switch kind := key.Kind(); {
	case s.gob:
		s.visit(key, path+"[key]", false)
	case kind == reflect.String, kind >= reflect.Int && kind <= reflect.Uintptr: // as texts
	case !key.Implements(s.writers[1]):
		s.cannotWrite(path, "JSON has no maps with %v as keys: use cache.Gob, or a list", key)
	case !reflect.PointerTo(key).Implements(s.readers[1]):
		s.cannotRead(path, "%v, of the keys of a map, has the method MarshalText, and no UnmarshalText to read it back", key)
	}

	byAddress := s.byAddress
	s.byAddress = false
	s.visit(elem, path+"[]", false)
	if s.byAddress {
		s.cannotWrite(path, "the values of a map have no address, and a method of %v needs one: use a map of pointers", elem)
	}

	s.byAddress = byAddress
}

func (s *survey) visitStruct(t reflect.Type, path string, inField bool) {
	p := s.plan(t)
	s.look = s.look || len(p.lost) > 0
	switch {
	case s.gob && !p.carriesAny:
		s.cannotWrite(path, "%v has no exported fields: export them, or give it GobEncode and GobDecode", t)
	case !p.carriesAny && len(p.lost) > 0 && !inField:
		const why = "%v has no exported fields, so nothing of it would arrive: export them, or give it MarshalJSON and UnmarshalJSON"
		s.cannotWrite(path, why, t)
		s.cannotRead(path, why, t)
	}

	for _, i := range p.carried {
		f := t.Field(i)
		if p.flat(f) {
			s.visitEmbedded(f, path)
			continue
		}

		if _, options, _ := strings.Cut(f.Tag.Get("json"), ","); !s.gob && slices.Contains(strings.Split(options, ","), "omitzero") {
			switch f.Type.Kind() {
			case reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128:
				continue // package json refuses it unless it is zero
			}
		}

		s.visit(f.Type, path+"."+f.Name, true)
	}
}

// visitEmbedded visits a field whose own fields JSON takes for those of the struct around it.
func (s *survey) visitEmbedded(f reflect.StructField, path string) {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		if t = t.Elem(); !f.IsExported() {
			s.cannotRead(path+"."+f.Name, "JSON cannot be read into an embedded pointer to %v, which is not exported: embed the struct itself", t)
		}
	}

	if !s.seen[t] {
		s.inside(t, func() { s.visitStruct(t, path, true) })
	}
}
