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
	{"type", "type of the value. Default: that of default", shapeOneOf(spec.ParamTypes()...),
		func(into *declaration, d *decoder, v value) { into.kind = d.oneOf("type", v, spec.ParamTypes()...) }},
	{"default", "value of runs that are given none. Without it each run must be given one", shapeAny,
		func(into *declaration, d *decoder, v value) { into.fallback = v }},
	{"description", "what it is for", shapeText,
		func(into *declaration, d *decoder, v value) { into.description = d.text("description", v).text }},
}

// readParams reads the parameters of the pipeline.
func (p *pipeline) readParams(d *decoder, v value) {
	d.members("params", v, func() {
		for i := 0; i < len(v.items); i += 2 {
			p.readParam(d, v.items[i], v.items[i+1])
		}
	})
}

func (p *pipeline) readParam(d *decoder, name, v value) {
	// Commands get parameters as variables in upper case.
	same := func(q spec.Param) bool { return strings.EqualFold(q.Name, name.text) }
	if err := spec.CheckVariable(name.text); err != nil {
		d.report(int(name.at), "params: %v", err)
	} else if i := slices.IndexFunc(p.settings.Params, same); i >= 0 {
		d.report(int(name.at), "parameters %s and %s differ in case only, and would be the same variable GODAGS_PARAM_%s",
			quote(p.settings.Params[i].Name), quote(name.text), strings.ToUpper(name.text))
	}

	declared := declaration{fallback: v}
	if v.kind == mapping {
		declared.fallback = value{}
		before := d.reported()
		readKeys(d, "a parameter", v, parameterKeys, &declared)
		if d.reported() > before {
			// The name is declared anyway: conditions that use it must not be reported as well.
			p.settings.Params = append(p.settings.Params, spec.Param{Name: name.text})
			return
		}
	}

	p.addParam(d, name, v, declared)
}

func (p *pipeline) addParam(d *decoder, name, v value, declared declaration) {
	param := spec.Param{Name: name.text, Type: declared.kind, Description: declared.description}
	fallback := declared.fallback
	text := appendJSON(nil, fallback)
	switch {
	case fallback.kind == number && fallback.text == "":
		// Not a number that JSON has, as .inf: the reader has reported it.
	case fallback.kind == null:
		d.report(int(fallback.at), `parameter %s has no default here: to ask each run for a value, write {type: string} or the like`, quote(name.text))
	case fallback.kind == absent && declared.kind == "":
		d.report(int(v.at), "parameter %s needs a type or a default", quote(name.text))
	case fallback.kind != absent:
		// A default such as 100 says its type.
		if param.Type == "" {
			param.Type = spec.TypeOf(text)
		}
		var err error
		if param.Value, err = param.Check(text); err != nil {
			d.report(int(fallback.at), "%v", err)
		}
	}

	p.settings.Params = append(p.settings.Params, param)
}
