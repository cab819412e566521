package pipefile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/godags/godags/internal/nearest"
)

// key is a key that a mapping may have. What reads its value reports what is wrong with it.
type key[T any] struct {
	name string
	read func(s *source, into *T, v value)
}

// pipeline is a file's content. A value of a kind that its key cannot have has been reported, and is not used.
type pipeline struct {
	name   value
	stages []stage
}

var pipelineKeys = []key[pipeline]{
	{"name", func(s *source, p *pipeline, v value) { p.name = s.text("name", v) }},
	{"stages", (*source).stages},
}

type stage struct {
	number                         int // from 1
	at                             int
	name, run, task, params, queue value
	after                          []value // text
}

// String names the stage in messages.
func (st *stage) String() string {
	if st.name.text == "" {
		return fmt.Sprintf("stage %d", st.number)
	}
	return "stage " + quote(st.name.text)
}

var stageKeys = []key[stage]{
	{"name", func(s *source, st *stage, v value) { st.name = s.text("name", v) }},
	{"after", func(s *source, st *stage, v value) { st.after = s.texts("after", v) }},
	{"run", (*source).run},
	{"task", func(s *source, st *stage, v value) { st.task = s.nonempty("task", v) }},
	{"params", (*source).params},
	{"queue", (*source).queue},
}

// readKeys reads the keys of a mapping. what names it in messages.
func readKeys[T any](s *source, what string, v value, keys []key[T], into *T) {
	done := make([]bool, len(keys))
	var unknown []int
	find := func(name string) int { return slices.IndexFunc(keys, func(k key[T]) bool { return k.name == name }) }
	for i := 0; i < len(v.items); i += 2 {
		if k := find(v.items[i].text); k >= 0 {
			keys[k].read(s, into, v.items[i+1])
			done[k] = true
		} else {
			unknown = append(unknown, i)
		}
	}
	for _, i := range unknown {
		// It is read as the key that was meant: what follows from a slip is not a problem of its own.
		if k := find(s.unknownKey(what, v.items[i], names(keys))); k >= 0 && !done[k] {
			keys[k].read(s, into, v.items[i+1])
			done[k] = true
		}
	}
}

func names[T any](keys []key[T]) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return names
}

// unknownKey returns the key that was probably meant, or "".
func (s *source) unknownKey(what string, key value, known []string) string {
	meant := nearest.Name(key.text, known)
	if meant == "" {
		s.report(int(key.at), "%s has no key %s: it can have %s", what, quote(key.text), strings.Join(known, ", "))
	} else {
		s.suggest(int(key.at), meant, "%s has no key %s", what, quote(key.text))
	}
	return meant
}

// pipeline reads the whole file.
func (s *source) pipeline(root value) (p pipeline) {
	switch root.kind {
	case mapping:
	case null:
		s.report(0, `the file is empty: write "stages:" and a list of stages`)
		return p
	default:
		s.report(int(root.at), "a pipeline is a mapping with the key stages, not %v", root.kind)
		return p
	}
	readKeys(s, "a pipeline", root, pipelineKeys, &p)
	if p.stages == nil {
		s.report(int(root.at), `the pipeline has no stages: write "stages:" and a list of them`)
	}
	return p
}

func (s *source) stages(p *pipeline, v value) {
	p.stages = make([]stage, 0, len(v.items))
	if v.kind != list {
		s.report(int(v.at), "stages must be a list of stages, not %v", v.kind)
		return
	}
	if len(v.items) == 0 {
		s.report(int(v.at), "the pipeline has no stages: the list is empty")
	}
	for i, item := range v.items {
		if item.kind != mapping {
			s.report(int(item.at), "a stage is a mapping with the key name, not %v", item.kind)
			continue
		}
		st := stage{number: i + 1, at: int(item.at)}
		readKeys(s, "a stage", item, stageKeys, &st)
		p.stages = append(p.stages, st)
	}
}
