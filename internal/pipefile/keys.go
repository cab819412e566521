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
	read  func(into *T, d *decoder, v value)
}

// pipeline is the content of a file. Values that their keys cannot have are reported and left out.
type pipeline struct {
	name     value
	settings spec.Settings
	defaults policy
	list     value // of the stages
}

var pipelineKeys = []key[pipeline]{
	{"name", "name of the pipeline. Default: the name of the file without its extension", shapeText,
		func(p *pipeline, d *decoder, v value) { p.name = d.text("name", v) }},
	{"params", "what may be chosen for each run: name and default, or name and {type, default, description}", shapeParams, (*pipeline).readParams},
	{"env", "variables that commands get, and conditions read", shapeEnv,
		func(p *pipeline, d *decoder, v value) { p.settings.Env = d.pipelineEnv(v) }},
	{"timeout", "how long a run may take. Default: any time", shapeDuration,
		func(p *pipeline, d *decoder, v value) { d.duration(&p.settings.Timeout, "timeout", v) }},
	{"on_failure", "continue (default): stages that do not depend on what failed go on; stop: nothing more is begun", shapeOneOf("continue", "stop"),
		(*pipeline).readOnFailure},
	{"defaults", "what holds for every stage that does not say otherwise", shapeRef("defaults"),
		func(p *pipeline, d *decoder, v value) {
			d.members("defaults", v, func() { readKeys(d, "defaults", v, policyKeys, &p.defaults) })
		}},
	{"stages", "list of stages, in any order", shapeStages, func(p *pipeline, d *decoder, v value) { p.list = v }},
}

// readKeys reads the keys of a mapping. what names it in messages.
func readKeys[T any](d *decoder, what string, v value, keys []key[T], into *T) {
	// Known keys come first: an unknown key must not be taken for one that is there as well.
	done := make([]bool, len(keys))
	var unknown []int
	find := func(name string) int { return slices.IndexFunc(keys, func(k key[T]) bool { return k.name == name }) }
	for i := 0; i < len(v.items); i += 2 {
		if k := find(v.items[i].text); k >= 0 {
			keys[k].read(into, d, v.items[i+1])
			done[k] = true
		} else {
			unknown = append(unknown, i)
		}
	}

	for _, i := range unknown {
		// The value is read as that of the key that was probably meant. A missing "after" would
		// cause more problems, which say nothing new.
		if d.endOfText(what, v.items[i], v.items[i+1]) {
			continue
		}
		if k := find(d.unknownKey(what, v.items[i], names(keys))); k >= 0 && !done[k] {
			keys[k].read(into, d, v.items[i+1])
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

// elsewhere maps keys of other tools to the keys with the same meaning.
var elsewhere = map[string]string{
	"needs": "after", "depends": "after", "depends_on": "after", "dependencies": "after", "command": "run", "cmd": "run", "script": "run",
	"if": "when", "condition": "when", "environment": "env", "retry": "retries", "cwd": "dir", "workdir": "dir", "working_dir": "dir",
	"foreach": "for_each", "tasks": "stages", "steps": "stages", "jobs": "stages", "parameters": "params", "variables": "env", "trigger_rule": "trigger",
}

// endOfText reports a key that is the rest of a text with a comma, as in {run: echo this, that}.
func (d *decoder) endOfText(what string, key, v value) bool {
	if v.kind != null {
		return false
	}

	// In a flow mapping, "that" is a key without a value, followed by a comma or the brace.
	rest := d.bytes[int(key.at)+len(token(d.bytes, int(key.at))):]
	if rest = bytes.TrimLeft(rest, " \t\r\n"); len(rest) == 0 || rest[0] != ',' && rest[0] != '}' {
		return false
	}

	d.report(int(key.at), "%s has no key %s: if it belongs to the text before, put all of that in quotes, since a comma ends it here", what, quote(key.text))
	return true
}

// unknownKey returns the key that was probably meant, or "".
func (d *decoder) unknownKey(what string, key value, known []string) string {
	// Words of other tools come first: no edit distance leads from "needs" to "after".
	meant := elsewhere[key.text]
	if !slices.Contains(known, meant) {
		meant = nearest.Name(key.text, known)
	}

	if meant == "" {
		d.report(int(key.at), "%s has no key %s: it can have %s", what, quote(key.text), strings.Join(known, ", "))
	} else {
		d.suggest(int(key.at), meant, "%s has no key %s", what, quote(key.text))
	}

	return meant
}

// members calls read if a value is a mapping, and reports other values.
func (d *decoder) members(key string, v value, read func()) {
	switch v.kind {
	case mapping:
		read()
	case null:
		d.report(int(v.at), "%s has no value", key)
	default:
		d.report(int(v.at), "%s must be a mapping, not %v", key, v.kind)
	}
}

// readPipeline reads the file except for its stages. They start from the defaults, which may come
// last.
func readPipeline(d *decoder, root value) (p pipeline) {
	switch root.kind {
	case mapping:
	case null:
		d.report(0, `the file is empty: write "stages:" and a list of stages`)
		return p
	default:
		d.report(int(root.at), "a pipeline is a mapping with the key stages, not %v", root.kind)
		return p
	}

	readKeys(d, "a pipeline", root, pipelineKeys, &p)
	if p.list.kind == absent {
		d.report(int(root.at), `the pipeline has no stages: write "stages:" and a list of them`)
	}
	return p
}

func (p *pipeline) readOnFailure(d *decoder, v value) {
	p.settings.Stop = d.oneOf("on_failure", v, "continue", "stop") == "stop"
}
