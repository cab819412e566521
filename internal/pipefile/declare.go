package pipefile

import (
	"slices"
	"strings"

	"github.com/godags/godags/internal/spec"
)

// declaration is the long form of a parameter.
type declaration struct {
	kind        string
	fallback    value
	description string
}

var parameterKeys = []key[declaration]{
	{"type", "type of the value. Default: that of default", shapeOneOf(spec.ParamTypes()...), func(s *source, d *declaration, v value) {
		d.kind = s.oneOf("type", v, spec.ParamTypes()...)
	}},
	{"default", "value of runs that are given none. Without it each run must be given one", shapeAny, func(s *source, d *declaration, v value) { d.fallback = v }},
	{"description", "what it is for", shapeText, func(s *source, d *declaration, v value) {
		d.description = s.text("description", v).text
	}},
}

// declare reads the parameters of the pipeline.
func (s *source) declare(p *pipeline, v value) {
	s.members("params", v, func() {
		for i := 0; i < len(v.items); i += 2 {
			s.declareParam(p, v.items[i], v.items[i+1])
		}
	})
}

func (s *source) declareParam(p *pipeline, name, v value) {
	same := func(q spec.Param) bool { return strings.EqualFold(q.Name, name.text) }
	if err := spec.CheckVariable(name.text); err != nil {
		s.report(int(name.at), "params: %v", err)
	} else if i := slices.IndexFunc(p.settings.Params, same); i >= 0 {
		s.report(int(name.at), "parameters %s and %s differ in case only, and would be the same variable GODAGS_PARAM_%s",
			quote(p.settings.Params[i].Name), quote(name.text), strings.ToUpper(name.text))
	}

	d := declaration{fallback: v}
	if v.kind == mapping {
		d.fallback = value{}
		before := len(s.problems) + s.omitted
		readKeys(s, "a parameter", v, parameterKeys, &d)
		if len(s.problems)+s.omitted > before {
			// what follows is not a problem of its own
			p.settings.Params = append(p.settings.Params, spec.Param{Name: name.text})
			return
		}
	}

	s.addParam(p, name, v, d)
}

func (s *source) addParam(p *pipeline, name, v value, d declaration) {
	param := spec.Param{Name: name.text, Type: d.kind, Description: d.description}
	fallback := appendJSON(nil, d.fallback)
	switch {
	case d.fallback.kind == number && d.fallback.text == "":

		// no number that JSON has: it has been reported
	case d.fallback.kind == null:
		s.report(int(d.fallback.at), `parameter %s has no default here: to ask each run for a value, write {type: string} or the like`, quote(name.text))
	case d.fallback.kind == absent && d.kind == "":
		s.report(int(v.at), "parameter %s needs a type or a default", quote(name.text))
	case d.fallback.kind != absent:
		if param.Type == "" {
			param.Type = spec.TypeOf(fallback)
		}
		var err error
		if param.Value, err = param.Check(fallback); err != nil {
			s.report(int(d.fallback.at), "%v", err)
		}
	}

	p.settings.Params = append(p.settings.Params, param)
}
