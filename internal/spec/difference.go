package spec

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/godags/godags/dag"
)

// Difference describes the first difference between the spec of an existing run and the one that is
// submitted now. It is empty if they are the same.
func Difference(before, now *Spec) string {
	// Encoding changes the bytes of JSON values: it leaves spaces out and escapes <, > and &. So
	// only what was encoded can be compared with the spec of a run.
	now = encoded(now)

	if before.Name != now.Name {
		return fmt.Sprintf("another pipeline: the run has %q, not %q", before.Name, now.Name)
	}

	if text := stageDifference(before, now); text != "" {
		return "another pipeline: " + text
	}
	if text := paramDifference(before.Params, now.Params); text != "" {
		return text
	}

	switch {
	case before.Values != now.Values:
		return fmt.Sprintf("values: the run has %s, not %s", cmp.Or(before.Values, "redis"), cmp.Or(now.Values, "redis"))
	case before.Timeout != now.Timeout:
		return fmt.Sprintf("timeout: the run has %v, not %v", before.Timeout, now.Timeout)
	case before.Stop != now.Stop:
		return "the run has another on_failure"
	case !maps.Equal(before.Env, now.Env):
		return "the run has another env"
	}

	return ""
}

// encoded returns a spec as it is after encoding and decoding.
func encoded(s *Spec) *Spec {
	text, err := s.Encode()
	if err != nil {
		return s // submission reports the error
	}
	if decoded, err := Decode(text); err == nil {
		return decoded
	}
	return s
}

// stageDifference names the first stage that only one of them has, or that is not the same in both.
func stageDifference(before, now *Spec) string {
	for s := range dag.StageID(now.Graph.Len()) {
		if _, ok := before.Graph.Lookup(now.Graph.Name(s)); !ok {
			return fmt.Sprintf("the run has no stage %q", now.Graph.Name(s))
		}
	}

	for s := range dag.StageID(before.Graph.Len()) {
		name := before.Graph.Name(s)
		other, ok := now.Graph.Lookup(name)
		switch {
		case !ok:
			return fmt.Sprintf("the run also has stage %q", name)
		case !slices.Equal(depNames(before.Graph, s), depNames(now.Graph, other)):
			return fmt.Sprintf("stage %q has other dependencies", name)
		case !reflect.DeepEqual(*before.Kind(s), *now.Kind(other)):
			return fmt.Sprintf("stage %q differs", name)
		case s != other:
			return fmt.Sprintf("stage %q has another position", name)
		}
	}

	return ""
}

func depNames(g *dag.Graph, s dag.StageID) (names []string) {
	for _, d := range g.Deps(s) {
		names = append(names, g.Name(d))
	}
	return names
}

func paramDifference(before, now []Param) string {
	for _, p := range now {
		i := slices.IndexFunc(before, func(q Param) bool { return q.Name == p.Name })
		switch {
		case i < 0:
			return fmt.Sprintf("the run has no parameter %q", p.Name)
		case !bytes.Equal(before[i].Value, p.Value):
			return fmt.Sprintf("parameter %q: the run has %.100s, not %.100s", p.Name, before[i].Value, p.Value)
		case before[i].Type != p.Type:
			return fmt.Sprintf("parameter %q: the run has type %s, not %s", p.Name, before[i].Type, p.Type)
		case before[i].Description != p.Description:
			return fmt.Sprintf("parameter %q has another description", p.Name)
		}
	}

	for _, p := range before {
		if !slices.ContainsFunc(now, func(q Param) bool { return q.Name == p.Name }) {
			return fmt.Sprintf("the run also has parameter %q", p.Name)
		}
	}

	return ""
}
