package pipefile

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v4"
)

// maxYAMLCost limits the memory of the YAML parser, which reads the whole file before the first
// value can be checked. It allows about 1.3 GB.
const maxYAMLCost = 3 << 20

// yamlReader turns the nodes of the YAML parser into values.
type yamlReader struct {
	*source
	positions positions
	anchors   map[*yaml.Node]*anchored
}

// anchored is what an alias stands for.
type anchored struct {
	value  value
	weight int
	open   bool // the value is being read: an alias here stands for something that it is in
}

func (s *source) readYAML() (value, bool) {
	// The parser itself has no limit, and would take the memory before anything is counted.
	if costOfYAML(s.bytes) > maxYAMLCost {
		s.report(0, "the file holds more values than are read from YAML: write it as JSON, or build a pipeline of this size in Go")
		return value{}, false
	}

	r := yamlReader{source: s, positions: positionsOf(s.bytes), anchors: make(map[*yaml.Node]*anchored)}
	loader, err := yaml.NewLoader(bytes.NewReader(s.bytes))
	if err != nil {
		s.report(0, "not valid YAML: %v", err)
		return value{}, false
	}

	var document, next yaml.Node
	switch err := loader.Load(&document); {
	case errors.Is(err, io.EOF):
		return value{kind: null}, true
	case err != nil:
		r.reportYAML(err)
		return value{}, false
	}

	switch err := loader.Load(&next); {
	case err == nil:
		s.report(r.at(&next), "a second document begins here: a file holds one pipeline")
	case !errors.Is(err, io.EOF):
		r.reportYAML(err)
	}

	return r.value(document.Content[0])
}

// costOfYAML returns an upper estimate of the number of values in YAML text, from the characters
// that introduce values.
func costOfYAML(text []byte) int {
	n := 0
	for i, c := range text {
		switch c {
		case ',':
			// The parser keeps all tokens of a list or mapping in brackets until it is closed.
			n += 3
		case '\n', ':', '[', '{', '?':
			n++
		case '-':
			if i+1 < len(text) && (text[i+1] == ' ' || text[i+1] == '\n') {
				n++
			}
		}
	}

	return n
}

func (r *yamlReader) at(n *yaml.Node) int { return r.positions.of(n.Line, n.Column) }

// value converts a node. It returns false if the rest need not be read.
func (r *yamlReader) value(n *yaml.Node) (value, bool) {
	if n.Kind == yaml.AliasNode {
		return r.alias(n)
	}

	if n.Anchor == "" {
		return r.plain(n)
	}

	// The weight is the difference of the sums before and after.
	a := &anchored{open: true, weight: -r.weight}
	r.anchors[n] = a
	v, ok := r.plain(n)
	a.value = v
	a.open = false
	a.weight += r.weight
	return v, ok
}

// alias returns the value of the anchor. It shares its memory, but counts its weight again: readers
// of the value visit it once for each alias.
func (r *yamlReader) alias(n *yaml.Node) (value, bool) {
	a := r.anchors[n.Alias]
	at := r.at(n)
	// An anchor within itself would make a value without an end.
	if a == nil || a.open {
		r.report(at, "*%s stands for something that it is part of", n.Value)
		return value{}, false
	}

	v := a.value
	v.at = uint32(at)
	return v, r.weigh(at, a.weight)
}

func (r *yamlReader) plain(n *yaml.Node) (value, bool) {
	at := r.at(n)
	if !r.weigh(at, valueWeight+len(n.Value)) {
		return value{}, false
	}

	switch {
	case n.Kind == yaml.SequenceNode && n.ShortTag() == "!!seq":
		return r.sequence(at, n)
	case n.Kind == yaml.MappingNode && n.ShortTag() == "!!map":
		return r.mapping(at, n)
	case n.Kind == yaml.ScalarNode:
		return r.scalar(at, n), true
	}

	r.report(at, "the tag %s cannot be used here", n.Tag)
	return value{kind: null, at: uint32(at)}, true
}

func (r *yamlReader) sequence(at int, n *yaml.Node) (value, bool) {
	items := make([]value, len(n.Content))
	for i, c := range n.Content {
		var ok bool
		if items[i], ok = r.value(c); !ok {
			return value{}, false
		}
	}
	return r.collect(list, at, items), true
}

func (r *yamlReader) mapping(at int, n *yaml.Node) (value, bool) {
	m := members{items: make([]value, 0, len(n.Content))}
	var merge *value
	for i := 0; i < len(n.Content); i += 2 {
		key, ok := r.value(n.Content[i])
		if !ok {
			return value{}, false
		}

		v, ok := r.value(n.Content[i+1])
		if !ok {
			return value{}, false
		}

		if v.kind == null && n.Content[i+1].Value == "" {
			v.at = key.at // a missing value has no place in the file
		}

		switch {
		case n.Content[i].Kind != yaml.ScalarNode || n.Content[i].ShortTag() != "!!merge":
			if key, ok = r.asKey(key); ok {
				r.addNew(&m, key, v)
			}
		// Two keys << would have no order between them. A list of mappings has one.
		case merge != nil:
			r.report(int(key.at), "key << is there twice: give it a list of mappings")
		default:
			merge = &v
		}
	}

	if merge != nil {
		r.merge(&m, *merge)
	}
	return r.collect(mapping, at, m.items), true
}

// asKey reports a key that is not text, and returns the text that was probably meant.
func (r *yamlReader) asKey(key value) (value, bool) {
	switch key.kind {
	case text:
	case number, boolean:
		key.kind, key.text = text, string(token(r.bytes, int(key.at)))
		r.report(int(key.at), "a key must be text: put it in quotes: %s", quote(key.text))
	default:
		r.report(int(key.at), "a key must be text, not %v", key.kind)
		return key, false
	}

	return key, true
}

// merge adds what << stands for. The mapping's own keys win, then those of the mapping that is
// named first.
func (r *yamlReader) merge(m *members, from value) {
	switch from.kind {
	case mapping:
		for i := 0; i < len(from.items); i += 2 {
			if m.find(from.items[i].text) < 0 {
				m.add(from.items[i], from.items[i+1])
			}
		}

	// The first mapping wins, because later ones only add keys that are missing.
	case list:
		for _, v := range from.items {
			if v.kind != mapping {
				r.report(int(v.at), "<< takes mappings, not %v", v.kind)
				continue
			}
			r.merge(m, v)
		}

	default:
		r.report(int(from.at), "<< takes a mapping or a list of mappings, not %v", from.kind)
	}
}
