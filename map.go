package godags

import (
	"context"
	"errors"
	"fmt"

	"github.com/godags/godags/tasks"
)

// Map adds a stage that calls f for each element of a list that another stage makes. Each element
// has an instance, named "train[0]" and so on, which is executed, retried and recorded like any
// stage. The output is the list of their outputs, in the same order. It exists once all have
// succeeded. An instance that its condition skipped has the zero value there.
//
// With a [Codec] other than JSON, each element is encoded alone: the list of the stages before and
// after is a JSON array of base64 text, and so is what conditions and commands see.
func Map[A, B any](
	p *Pipeline, name string, f func(context.Context, A) (B, error), list Output[[]A], opts ...MapOption,
) Output[[]B] {
	return mapped(p, name, f == nil, func(ctx context.Context, _ *tasks.Stage, a A) (B, error) { return f(ctx, a) }, list, opts)
}

// MapWith is [Map] with a second input, which all instances share: f is called with each element of
// the list and the output of side.
func MapWith[A, S, B any](
	p *Pipeline, name string, f func(context.Context, A, S) (B, error),
	list Output[[]A], side Output[S], opts ...MapOption,
) Output[[]B] {
	out := mapped(p, name, f == nil, func(ctx context.Context, s *tasks.Stage, a A) (b B, err error) {
		shared, err := input(ctx, s, side)
		if err != nil {
			return b, err
		}
		return f(ctx, a, shared)
	}, list, opts)

	takes(out.Stage, side)
	return out
}

// mapped adds a stage with an instance for each element. missing says that its function is nil.
func mapped[A, B any](
	p *Pipeline, name string, missing bool, f func(context.Context, *tasks.Stage, A) (B, error),
	list Output[[]A], opts []MapOption,
) Output[[]B] {
	each := produce(p, name, missing, func(ctx context.Context, s *tasks.Stage) (b B, err error) {
		if s.Item == nil {
			return b, errors.New("the stage was executed as a whole, not for an element")
		}

		var a A
		if err := elementOf(list.codec).Decode(s.Item, &a); err != nil {
			return b, NoRetry(fmt.Errorf("element %d of stage %q: %w", s.Index, list.name, err))
		}
		return f(ctx, s, a)
	}, opts)

	// Before takes, which checks that the codec of the list can carry the type of its elements.
	each.written = elementOf(each.codec)
	each.read = listOf(each.codec)
	if list.Stage != nil {
		each.policy.ForEach = list.name
		each.mapOver(list.Stage)
	}

	takes(each.Stage, list)
	return Output[[]B](each)
}

// mapOver makes the stage of a list write it so that the engine can tell its elements apart.
func (s *Stage) mapOver(list *Stage) {
	switch {
	case list.params != nil:
		// The bytes of its file would be taken for the elements.
		s.pipeline.problems = append(s.pipeline.problems, fmt.Errorf(
			"stage %q: Map needs a list that a Go function makes, and stage %q is a command", s.name, list.name))
	case list.policy.ForEach == "":
		list.written = listOf(list.codec)
		list.read = list.written
	}
	// Else the list is the output of a mapped stage, which is such a list already.
}
