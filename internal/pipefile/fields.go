package pipefile

import (
	"bytes"
	"slices"
	"strings"

	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/spec"
)

// key is a key that a mapping may have. What reads its value reports what is wrong with it.
type key[T any] struct {
	name  string
	about string // one line, for editors
	shape shape  // what values look like
	read  func(s *source, into *T, v value)
}

// pipeline is a file's content. A value of a kind that its key cannot have has been reported, and
// is not used.
type pipeline struct {
	name     value
	settings spec.Settings
	defaults policy
	list     value // of the stages
}

var pipelineKeys = []key[pipeline]{
	{"name", "name of the pipeline. Default: the name of the file without its extension", shapeText,
		func(s *source, p *pipeline, v value) { p.name = s.text("name", v) }},
	{"params", "what may be chosen for each run: name and default, or name and {type, default, description}", shapeParams, (*source).declare},
	{"env", "variables that commands get, and conditions read", shapeEnv,
		func(s *source, p *pipeline, v value) { p.settings.Env = s.pipelineEnv(v) }},
	{"timeout", "how long a run may take. Default: any time", shapeDuration,
		func(s *source, p *pipeline, v value) { s.duration(&p.settings.Timeout, "timeout", v) }},
	{"on_failure", "continue (default): stages that do not depend on what failed go on; stop: nothing more is begun", shapeOneOf("continue", "stop"),
		(*source).onFailure},
	{"defaults", "what holds for every stage that does not say otherwise", shapeRef("defaults"),
		func(s *source, p *pipeline, v value) {
			s.members("defaults", v, func() { readKeys(s, "defaults", v, policyKeys, &p.defaults) })
		}},
	{"stages", "list of stages, in any order", shapeStages, func(s *source, p *pipeline, v value) { p.list = v }},
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
		// It is read as the key that was meant: what follows from a slip is not a problem of its
		// own.
		if s.endOfText(what, v.items[i], v.items[i+1]) {
			continue
		}
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

// elsewhere are keys of other tools, with those that mean the same here.
var elsewhere = map[string]string{
	"needs": "after", "depends": "after", "depends_on": "after", "dependencies": "after", "command": "run", "cmd": "run", "script": "run",
	"if": "when", "condition": "when", "environment": "env", "retry": "retries", "cwd": "dir", "workdir": "dir", "working_dir": "dir",
	"foreach": "for_each", "tasks": "stages", "steps": "stages", "jobs": "stages", "parameters": "params", "variables": "env", "trigger_rule": "trigger",
}

// endOfText reports a key that is none, but the end of a text with a comma: {run: echo this, that}.
func (s *source) endOfText(what string, key, v value) bool {
	if v.kind != null {
		return false
	}

	rest := s.bytes[int(key.at)+len(token(s.bytes, int(key.at))):]
	if rest = bytes.TrimLeft(rest, " \t\r\n"); len(rest) == 0 || rest[0] != ',' && rest[0] != '}' {
		return false
	}

	s.report(int(key.at), "%s has no key %s: if it belongs to the text before, put all of that in quotes, since a comma ends it here", what, quote(key.text))
	return true
}

// unknownKey returns the key that was probably meant, or "".
func (s *source) unknownKey(what string, key value, known []string) string {
	meant := elsewhere[key.text]
	if !slices.Contains(known, meant) {
		meant = nearest.Name(key.text, known)
	}

	if meant == "" {
		s.report(int(key.at), "%s has no key %s: it can have %s", what, quote(key.text), strings.Join(known, ", "))
	} else {
		s.suggest(int(key.at), meant, "%s has no key %s", what, quote(key.text))
	}

	return meant
}

// members reports a value that is not a mapping, and goes on with one that is.
func (s *source) members(key string, v value, read func()) {
	switch v.kind {
	case mapping:
		read()
	case null:
		s.report(int(v.at), "%s has no value", key)
	default:
		s.report(int(v.at), "%s must be a mapping, not %v", key, v.kind)
	}
}

// pipeline reads the file, without its stages: they begin with the defaults, which may come last.
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
	if p.list.kind == absent {
		s.report(int(root.at), `the pipeline has no stages: write "stages:" and a list of them`)
	}
	return p
}

func (s *source) onFailure(p *pipeline, v value) {
	p.settings.Stop = s.oneOf("on_failure", v, "continue", "stop") == "stop"
}
