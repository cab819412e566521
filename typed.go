package godags

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/tasks"
)

// Output is a stage whose function returns a T. [Then], [Sink], [Join], [Collect] and [Map] take it
// as input, and do not compile if their function wants another type. [Result] reads it after the
// run.
type Output[T any] struct {
	*Stage
	optional bool // T is a pointer, which is nil if there is no output
}

// Produce adds a stage that has an output and no inputs. Use [After] for its dependencies.
//
// The output travels as JSON, unless a [Codec] says otherwise, and arrives as it was or is refused.
// The pipeline is invalid if the type cannot arrive: functions, channels, complex numbers, structs
// with no exported field, interfaces with methods, maps whose keys are structs. The attempt fails,
// without retries, if the value cannot arrive: NaN and infinity, text that is not UTF-8, an
// unexported field that holds something. In an interface (any) only what JSON has arrives as it
// was: string, bool, float64, and maps and lists of them; a struct becomes a map. A [time.Duration]
// is a number of nanoseconds, which conditions and commands see. A nil pointer, slice and map are
// null. [cache.Gob] carries most of what JSON does not.
func Produce[T any](
	p *Pipeline, name string, f func(context.Context) (T, error), opts ...StageOption,
) Output[T] {
	call := func(ctx context.Context, _ *tasks.Stage) (T, error) { return f(ctx) }
	return produce(p, name, f == nil, call, mapOptions(opts))
}

// Then adds a stage that takes the output of another, and starts when that one has succeeded.
// [Produce] says which values survive the way.
func Then[A, B any](
	p *Pipeline, name string, f func(context.Context, A) (B, error), in Output[A], opts ...StageOption,
) Output[B] {
	out := produce(p, name, f == nil, func(ctx context.Context, s *tasks.Stage) (b B, err error) {
		a, err := input(ctx, s, in)
		if err != nil {
			return b, err
		}
		return f(ctx, a)
	}, mapOptions(opts))

	takes(out.Stage, in)
	return out
}

// Sink adds a stage that takes the output of another and has none itself. It is [Then] for a
// function that returns only an error.
func Sink[A any](
	p *Pipeline, name string, f func(context.Context, A) error, in Output[A], opts ...StageOption,
) *Stage {
	s := p.add(name, f == nil, func(ctx context.Context, s *tasks.Stage) error {
		a, err := input(ctx, s, in)
		if err != nil {
			return err
		}
		return f(ctx, a)
	}, mapOptions(opts))

	takes(s, in)
	return s
}

// Join adds a stage that takes the outputs of two others, and starts when both have succeeded.
func Join[A, B, C any](
	p *Pipeline, name string, f func(context.Context, A, B) (C, error),
	inA Output[A], inB Output[B], opts ...StageOption,
) Output[C] {
	out := produce(p, name, f == nil, func(ctx context.Context, s *tasks.Stage) (c C, err error) {
		a, err := input(ctx, s, inA)
		if err != nil {
			return c, err
		}

		b, err := input(ctx, s, inB)
		if err != nil {
			return c, err
		}

		return f(ctx, a, b)
	}, mapOptions(opts))

	takes(out.Stage, inA)
	takes(out.Stage, inB)
	return out
}

// Join3 adds a stage that takes the outputs of three others, and starts when all have succeeded.
func Join3[A, B, C, D any](
	p *Pipeline, name string, f func(context.Context, A, B, C) (D, error),
	inA Output[A], inB Output[B], inC Output[C], opts ...StageOption,
) Output[D] {
	out := produce(p, name, f == nil, func(ctx context.Context, s *tasks.Stage) (d D, err error) {
		a, err := input(ctx, s, inA)
		if err != nil {
			return d, err
		}

		b, err := input(ctx, s, inB)
		if err != nil {
			return d, err
		}

		c, err := input(ctx, s, inC)
		if err != nil {
			return d, err
		}

		return f(ctx, a, b, c)
	}, mapOptions(opts))

	takes(out.Stage, inA)
	takes(out.Stage, inB)
	takes(out.Stage, inC)
	return out
}

// Collect adds a stage that takes the outputs of any number of others of one type, in the order
// given, and starts when all have succeeded:
//
//	all := godags.Collect(p, "merge", merge, trees) // trees is a []godags.Output[Tree]
func Collect[A, B any](
	p *Pipeline, name string, f func(context.Context, []A) (B, error), inputs []Output[A], opts ...StageOption,
) Output[B] {
	inputs = slices.Clone(inputs) // the caller may change the slice later
	out := produce(p, name, f == nil, func(ctx context.Context, s *tasks.Stage) (b B, err error) {
		// In the order of the inputs, not in the order in which the stages finished.
		values := make([]A, len(inputs))
		for i, in := range inputs {
			if values[i], err = input(ctx, s, in); err != nil {
				return b, err
			}
		}
		return f(ctx, values)
	}, mapOptions(opts))

	for _, in := range inputs {
		takes(out.Stage, in)
	}
	return out
}

// produce adds a stage with an output. missing says that its function is nil.
func produce[T any](
	p *Pipeline, name string, missing bool, f func(context.Context, *tasks.Stage) (T, error), opts []MapOption,
) Output[T] {
	var st *Stage
	st = p.add(name, missing, func(ctx context.Context, s *tasks.Stage) error {
		v, err := f(ctx, s)
		if err != nil {
			return err
		}

		// Not known before: a stage that is added later may map over the output.
		value, err := cache.Marshal(st.written, v)
		if err != nil {
			// Another attempt would have the same type, and most likely the same value.
			return tasks.NoRetry(fmt.Errorf("encode output: %w", err))
		}

		s.Values.SetOutput(value)
		return nil
	}, opts)

	if err := checkType(st.codec, reflect.TypeFor[T](), false); err != nil {
		p.problems = append(p.problems, fmt.Errorf(
			"stage %q: its output %v cannot be stored: %w", name, reflect.TypeFor[T](), err))
	}
	return Output[T]{Stage: st}
}

// Optional makes an input optional: the function gets a pointer, which is nil if the stage has no
// output because it failed, was skipped or is not finished. So the function can tell that from the
// zero value.
//
//	func publish(ctx context.Context, price *int) error
//
//	godags.Sink(p, "publish", publish, godags.Optional(price), godags.Trigger(godags.AllDone))
//
// The stage needs a [Trigger] other than [AllSuccess], which never starts it without its inputs.
func Optional[T any](of Output[T]) Output[*T] { return Output[*T]{Stage: of.Stage, optional: true} }

// takes makes a stage come after another one, whose output it reads.
func takes[T any](s *Stage, from Output[T]) {
	s.After(from.Stage)
	if from.Stage == nil {
		return
	}

	problem := func(format string, args ...any) {
		s.pipeline.problems = append(s.pipeline.problems, fmt.Errorf("stage %q: "+format, append([]any{s.name}, args...)...))
	}

	t := reflect.TypeFor[T]()
	if from.optional {
		t = t.Elem()
		if s.policy.Trigger == AllSuccess {
			problem("the input from stage %q is Optional, but the stage never starts without it: "+
				"give it a Trigger other than AllSuccess", from.name)
		}
	}

	if checkType(from.read, t, false) != nil {
		return // reported for the stage that has it as its output
	}
	if err := checkType(from.read, t, true); err != nil {
		problem("the output %v of stage %q cannot be read: %w", t, from.name, err)
	}
}

// checkType returns an error if no value of a type can take the way through a codec.
func checkType(c cache.Codec, t reflect.Type, read bool) error {
	if checker, ok := c.(cache.TypeChecker); ok {
		return checker.CheckType(t, read)
	}
	return nil
}

// input returns the value of an input of the stage that is executed.
func input[T any](ctx context.Context, s *tasks.Stage, in Output[T]) (v T, err error) {
	value, err := s.Values.Output(ctx, in.name)
	// With all_success the input must exist, so its absence is an error. With other triggers a
	// stage runs although a dependency failed.
	if to, ok := ctx.Value(stageKey{}).(*Stage); ok && to.policy.Trigger != AllSuccess && errors.Is(err, tasks.ErrNoOutput) {
		return v, nil
	}

	if err == nil {
		err = in.decode(&v, func(v any) error { return cache.Unmarshal(value, v, in.read) })
		err = NoRetry(err) // another attempt reads the same value
	}
	if err != nil {
		return v, fmt.Errorf("input from stage %q: %w", in.name, err)
	}

	return v, nil
}

// decode sets v to an output that decode reads.
func (o Output[T]) decode(v *T, decode func(any) error) error {
	if !o.optional {
		return decode(v)
	}

	// Not into the pointer itself: null, which is how JSON writes a nil slice, would make it nil,
	// as if the stage had no output.
	value := reflect.New(reflect.TypeFor[T]().Elem())
	if err := decode(value.Interface()); err != nil {
		return err
	}
	reflect.ValueOf(v).Elem().Set(value)
	return nil
}
