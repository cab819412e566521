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

// Param is a parameter of a pipeline, with the type of its values. Make one with [NewParam].
type Param[T any] struct{ name string }

// NewParam declares a parameter of a pipeline and returns a handle that reads it:
//
//	seed := godags.NewParam(p, "seed", 42)
//	...
//	n, err := seed.Get(ctx) // in a stage of p
//
// A run may choose another value than the default: with [Params], or with --param on a command
// line. Without a default every run must give a value.
//
// The type of the parameter follows from T: string, int, float, bool, list or object. The name has
// up to 100 letters, digits and '_'. A mistake is reported by [Run] and [Main].
func NewParam[T any](p *Pipeline, name string, value ...T) Param[T] {
	if declared, err := declare(name, value); err != nil {
		p.problems = append(p.problems, err)
	} else {
		p.addParam(declared)
	}
	return Param[T]{name}
}

// addParam adds a parameter, unless its name is taken.
func (p *Pipeline) addParam(declared spec.Param) {
	name := declared.Name
	for _, other := range p.settings.Params {
		switch {
		case other.Name == name:
			p.problems = append(p.problems, fmt.Errorf("parameter %q is declared twice", name))
			return
		case strings.EqualFold(other.Name, name):
			// Commands get parameters as environment variables, whose names are in capitals.
			p.problems = append(p.problems, fmt.Errorf(
				"parameters %q and %q differ in case only, and would be the same variable GODAGS_PARAM_%s",
				other.Name, name, strings.ToUpper(name)))
			return
		}
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
		return p, fmt.Errorf(
			"parameter %q: %v is neither string, int, float, bool, list nor object as JSON", name, reflect.TypeFor[T]())
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
		// The zero value is 0 in JSON, which would look like an int.
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

// Name returns the name of the parameter.
func (p Param[T]) Name() string { return p.name }

// Get returns the value that the parameter has in the run of the stage that ctx belongs to.
func (p Param[T]) Get(ctx context.Context) (v T, err error) {
	s := tasks.FromContext(ctx)
	if s == nil {
		return v, fmt.Errorf("parameter %q: %w", p.name, ErrNotInStage)
	}

	value, ok := s.RunParams[p.name]
	if !ok {
		// The handle belongs to another pipeline.
		return v, fmt.Errorf(
			"parameter %q is unknown: the pipeline declares %q", p.name, slices.Sorted(maps.Keys(s.RunParams)))
	}

	if err := cache.JSON.Decode(value, &v); err != nil {
		return v, NoRetry(fmt.Errorf("parameter %q: %w", p.name, err))
	}

	return v, nil
}

// Params sets parameters of a run, by the names given to [NewParam]. Values become JSON. A
// parameter that is unknown, has the wrong type or is missing gives a [*ParamError].
func Params(values map[string]any) SubmitOption {
	return submitOption(func(o *submitOptions) { o.params = values })
}

// ParamError says that the parameters of a run do not fit its pipeline. Usually who requested the
// run has to correct them.
type ParamError struct {
	Pipeline string
	Err      error // names each parameter that is unknown, missing or of the wrong type
}

// Error names the pipeline and the parameters.
func (e *ParamError) Error() string { return fmt.Sprintf("pipeline %q: %v", e.Pipeline, e.Err) }

// Unwrap returns Err.
func (e *ParamError) Unwrap() error { return e.Err }

// bind gives the pipeline the parameters of one run.
func bind(sp *spec.Spec, values map[string]any) (*spec.Spec, error) {
	given := make(map[string]json.RawMessage, len(values))
	for name, v := range values {
		value, err := cache.JSON.Encode(v)
		if err != nil {
			return nil, &ParamError{sp.Name, fmt.Errorf("parameter %q: %w", name, err)}
		}
		given[name] = value
	}

	params, err := spec.Bind(sp.Params, given)
	if err != nil {
		return nil, &ParamError{sp.Name, err}
	}

	// The pipeline may be run again with other parameters.
	bound := *sp
	bound.Params = params
	return &bound, nil
}
