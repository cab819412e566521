package cache

import (
	"reflect"
	"slices"
	"strings"
)

// plan says what becomes of the fields of a struct.
type plan struct {
	gob     bool
	carried []int // fields that are written
	// fields that are not, although they may hold something: by index, as
	// [reflect.Value.FieldByIndex] has it
	lost       [][]int
	carriesAny bool
}

func (r *rules) plan(t reflect.Type) *plan {
	if known, ok := r.plans.Load(t); ok {
		return known.(*plan)
	}

	p := &plan{gob: r.gob}
	for i := range t.NumField() {
		p.add(i, t.Field(i))
	}

	if !r.gob {
		// Package json drops all fields with a name that several have, without an error.
		leaves := leavesOf(t, nil, nil)
		p.lost = append(p.lost, hidden(leaves)...)
		p.carriesAny = p.carriesAny || len(leaves) > 0
	}

	// Two goroutines may make the same plan. The first one is kept.
	known, _ := r.plans.LoadOrStore(t, p)
	return known.(*plan)
}

func (p *plan) add(i int, f reflect.StructField) {
	switch {
	case f.Name == "_":
	case !p.gob && f.Tag.Get("json") == "-":
		// Left out on purpose, so it counts neither as lost nor as nothing to carry.
		p.carriesAny = p.carriesAny || f.IsExported()
	case p.flat(f):
		p.carried = append(p.carried, i)
	case p.sends(f):
		p.carried = append(p.carried, i)
		p.carriesAny = true
	case !carriesNothing(f):
		p.lost = append(p.lost, []int{i})
	}
}

// sends reports whether a field is written under its name.
func (p *plan) sends(f reflect.StructField) bool {
	if !p.gob {
		return f.IsExported() || f.Anonymous && f.Type.Kind() == reflect.Struct
	}

	t := f.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}

	return f.IsExported() && t.Kind() != reflect.Func && t.Kind() != reflect.Chan
}

// flat reports whether JSON takes the fields of an embedded struct for those of the struct around
// it.
func (p *plan) flat(f reflect.StructField) bool {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return !p.gob && f.Anonymous && t.Kind() == reflect.Struct && jsonName(f) == ""
}

// carriesNothing reports whether a field that is left out is no loss: a lock, or a mark without a
// size.
func carriesNothing(f reflect.StructField) bool {
	t := f.Type
	return f.Name == "_" || t.Size() == 0 || t.PkgPath() == "sync" && t.Name() != "Map"
}

// jsonName returns the name that a tag gives to a field, or "".
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// leaf is a field that JSON would write, if no other of that name hides it.
type leaf struct {
	name   string
	tagged bool
	index  []int
}

// leavesOf returns the fields of t and of the structs that are embedded in it.
func leavesOf(t reflect.Type, index []int, above []reflect.Type) (leaves []leaf) {
	// A struct may embed a pointer to its own type.
	if slices.Contains(above, t) {
		return nil
	}

	above = append(slices.Clip(above), t)
	for i := range t.NumField() {
		f := t.Field(i)
		place := append(slices.Clip(index), i)
		name := jsonName(f)
		switch p := (plan{}); {
		case f.Name == "_" || f.Tag.Get("json") == "-":
		case p.flat(f):
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			leaves = append(leaves, leavesOf(inner, place, above)...)

		case p.sends(f):
			l := leaf{name: name, tagged: name != "", index: place}
			if name == "" {
				l.name = f.Name
			}
			leaves = append(leaves, l)
		}
	}

	return leaves
}

// hidden returns the leaves that JSON leaves out: of those with one name it writes the one that is
// embedded least deep, and has a tag if several are; none if that does not decide.
func hidden(leaves []leaf) (lost [][]int) {
	byName := make(map[string][]leaf)
	for _, l := range leaves {
		byName[l.name] = append(byName[l.name], l)
	}

	for _, l := range leaves {
		same := byName[l.name]
		if len(same) == 1 {
			continue
		}

		rivals := 0
		for _, other := range same {
			if len(other.index) < len(l.index) || len(other.index) == len(l.index) && (other.tagged || !l.tagged) {
				rivals++ // l itself is one
			}
		}

		if rivals > 1 || !slices.ContainsFunc(same, func(o leaf) bool { return len(o.index) == len(l.index) }) {
			lost = append(lost, l.index)
		}
	}

	return lost
}
