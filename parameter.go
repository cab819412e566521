package godags

import "context"

// Parameter is a declared parameter of a pipeline, with the type of its values. Make one with
// [NewParam].
type Parameter[T any] struct{ name string }

// NewParam declares a parameter of a pipeline and returns a handle that reads it:
//
//	seed := godags.NewParam(p, "seed", 42)
//	...
//	n, err := seed.Get(ctx) // in a stage of p
//
// Without a default value the parameter must be given for each run. [DeclareParam] says which types
// and names are legal; a mistake is reported when the pipeline is run.
func NewParam[T any](p *Pipeline, name string, value ...T) Parameter[T] {
	p.declareParam(declare(name, value))
	return Parameter[T]{name}
}

// Name returns the name of the parameter.
func (p Parameter[T]) Name() string { return p.name }

// Get returns the value that the parameter has in the run of the stage that ctx belongs to.
func (p Parameter[T]) Get(ctx context.Context) (T, error) { return Param[T](ctx, p.name) }
