package godags

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// DeclareParam declares a parameter of the pipeline, which may be chosen for each run: with
// [Params], or --param on a command line. Without a default it must be given. Its type follows from
// T: string, int, float, bool, list or object. The name has up to 100 letters, digits and '_'.
func DeclareParam[T any](name string, value ...T) Option {
	return ofPipeline("DeclareParam", func(p *Pipeline) { p.declareParam(declare(name, value)) })
}

// declareParam adds a parameter, unless declaring it gave an error.
func (p *Pipeline) declareParam(declared spec.Param, err error) {
	name := declared.Name
	same := func(other spec.Param) bool { return strings.EqualFold(other.Name, name) }
	if i := slices.IndexFunc(p.settings.Params, same); err == nil && i >= 0 {
		if err = fmt.Errorf("parameter %q is declared twice", name); p.settings.Params[i].Name != name {
			err = fmt.Errorf("parameters %q and %q differ in case only, and would be the same variable GODAGS_PARAM_%s", p.settings.Params[i].Name, name, strings.ToUpper(name))
		}
	}
	if err != nil {
		p.problems = append(p.problems, err)
		return
	}

	p.settings.Params = append(p.settings.Params, declared)
}

func declare[T any](name string, value []T) (spec.Param, error) {
	p := spec.Param{Name: name}
	if err := spec.CheckVariable(name); err != nil {
		return p, fmt.Errorf("parameter: %w", err)
	}
	if len(value) > 1 {
		return p, fmt.Errorf("parameter %q has %d defaults: give one or none", name, len(value))
	}
	if p.Type = typeOf[T](); p.Type == "" {
		return p, fmt.Errorf("parameter %q: %v is neither string, int, float, bool, list nor object as JSON", name, reflect.TypeFor[T]())
	}
	if len(value) == 0 {
		return p, nil
	}

	text, err := jsontext.Marshal(value[0])
	if err != nil {
		return p, fmt.Errorf("parameter %q: %w", name, err)
	}

	p.Value, err = p.Check(text)
	return p, err
}

// typeOf returns the type of parameters that have T as values, or "".
func typeOf[T any]() string {
	t := reflect.TypeFor[T]()
	zero, err := json.Marshal(*new(T))
	switch {
	case err != nil:
		return ""
	case t.Kind() == reflect.Float64 || t.Kind() == reflect.Float32:
		return spec.Float
	case string(zero) != "null":
		return spec.TypeOf(zero)
	case t.Kind() == reflect.Slice:
		return spec.List
	case t.Kind() == reflect.Map:
		return spec.Object
	}

	return ""
}

// Param returns the value that a parameter has in the run. It can be called from a stage's
// function.
func Param[T any](ctx context.Context, name string) (v T, err error) {
	s := tasks.FromContext(ctx)
	if s == nil {
		return v, fmt.Errorf("parameter %q: %w", name, ErrNoStage)
	}

	value, ok := s.RunParams[name]
	if !ok {
		return v, fmt.Errorf("parameter %q is unknown: the pipeline declares %q", name, slices.Sorted(maps.Keys(s.RunParams)))
	}
	if err := cache.JSON.Decode(value, &v); err != nil {
		return v, NoRetry(fmt.Errorf("parameter %q: %w", name, err))
	}

	return v, nil
}

// Params sets parameters of the run that [DeclareParam] declares; values become JSON. One that is
// unknown, has the wrong type or is missing is an error.
func Params(values map[string]any) RunOption { return func(o *runOptions) { o.params = values } }

// bind gives the pipeline the parameters of one run.
func bind(sp *spec.Spec, values map[string]any) (*spec.Spec, error) {
	given := make(map[string]json.RawMessage, len(values))
	for name, v := range values {
		value, err := cache.JSON.Encode(v)
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", name, err)
		}
		given[name] = value
	}

	params, err := spec.Bind(sp.Params, given)
	if err != nil {
		return nil, fmt.Errorf("pipeline %q: %w", sp.Name, err)
	}

	bound := *sp
	bound.Params = params
	return &bound, nil
}
