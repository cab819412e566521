package dag

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFromDepsGivesTheGraphBack(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := drawGraph(t)
		again, err := FromDeps(g.names, g.deps.off, g.deps.ids)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%+v", again), fmt.Sprintf("%+v", g); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

func TestFromDepsRefusesWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		what  string
		names []string
		off   []uint32
		deps  []StageID
		want  string
	}{
		{"no offsets", nil, nil, nil, "offsets do not fit"},
		{"an offset too few", []string{"a"}, []uint32{0}, nil, "offsets do not fit"},
		{"an offset too many", []string{"a"}, []uint32{0, 0, 0}, nil, "offsets do not fit"},
		{"not from the beginning", []string{"a", "b"}, []uint32{1, 1, 2}, []StageID{0, 0}, "offsets do not fit"},
		{"backwards", []string{"a", "b", "c"}, []uint32{0, 2, 1, 2}, []StageID{0, 0}, "offsets do not fit"},
		{"not to the end", []string{"a", "b"}, []uint32{0, 0, 1}, []StageID{0, 0}, "offsets do not fit"},
		{"beyond the end", []string{"a", "b"}, []uint32{0, 0, 2}, []StageID{0}, "offsets do not fit"},
		{"a stage that is not there", []string{"a", "b"}, []uint32{0, 0, 1}, []StageID{2}, "not a stage of the graph"},
		{"a stage far away", []string{"a", "b"}, []uint32{0, 0, 1}, []StageID{1<<32 - 1}, "not a stage of the graph"},
		{"one name for two", []string{"a", "b", "a"}, []uint32{0, 0, 0, 0}, nil, "the same name"},
		{"a cycle", []string{"a", "b"}, []uint32{0, 1, 2}, []StageID{1, 0}, `"a" -> "b" -> "a"`},
		{"after itself", []string{"a"}, []uint32{0, 1}, []StageID{0}, `"a" -> "a"`},
	} {
		g, err := FromDeps(c.names, c.off, c.deps)
		if err == nil || g != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want an error with %q", c.what, g, err, c.want)
		}
		if invalid := new(InvalidError); errors.As(err, &invalid) != strings.Contains(c.want, "->") {
			t.Errorf("%s: error of type %T", c.what, err)
		}
	}
}

// A stored pipeline that names a dependency twice is strange, and runs.
func TestFromDepsWithRepeatedDependency(t *testing.T) {
	g, err := FromDeps([]string{"a", "b"}, []uint32{0, 0, 2}, []StageID{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	commands, err := NewRun(g, Rules{}).Apply(Event{Type: StageSucceeded, Stage: 0, Attempt: 1}, nil)
	if want := []Command{{Type: Dispatch, Stage: 1, Attempt: 1}}; err != nil || !slices.Equal(commands, want) {
		t.Errorf("commands %+v, %v; want %+v", commands, err, want)
	}
}

// FuzzFromDeps: whatever is stored, the answer is an error or a graph that is whole and can be run.
func FuzzFromDeps(f *testing.F) {
	f.Add("a b c", []byte{0, 0, 1, 3}, []byte{0, 0, 1})
	f.Add("a b", []byte{0, 1, 2}, []byte{1, 0})
	f.Add("a a", []byte{0, 0, 0}, []byte{})
	f.Add("a b c d", []byte{0, 4, 4, 4, 4}, []byte{1, 2, 3, 3})
	f.Add("a", []byte{0, 9}, []byte{7})
	f.Add("", []byte{0}, []byte{})
	f.Fuzz(func(t *testing.T, names string, offsets, dependencies []byte) {
		off, deps := make([]uint32, len(offsets)), make([]StageID, len(dependencies))
		for i, o := range offsets {
			off[i] = uint32(o)
		}
		for i, d := range dependencies {
			deps[i] = StageID(int8(d)) // also ids that are far away
		}
		g, err := FromDeps(strings.Fields(names), off, deps)
		if err != nil {
			return
		}
		checkOrder(t, g)
		checkEdges(t, g)
		for s := range StageID(g.Len()) {
			if got, ok := g.Lookup(g.Name(s)); !ok || got != s {
				t.Fatalf("Lookup(%q) = %d, %v", g.Name(s), got, ok)
			}
		}
		runToEnd(t, NewRun(g, Rules{}))
	})
}
