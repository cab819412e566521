package godags

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/tasks"
)

// Map adds a stage that calls f for each element of a list that another stage makes. Each element
// has an instance, named "train[0]" and so on, which is executed, retried and recorded like any
// stage. The output is the list of their outputs, in the same order. It exists once all have
// succeeded. An instance that its condition skipped has the zero value there.
//
// Both lists are JSON: another [Codec] is an error.
func Map[A, B any](
	p *Pipeline, name string, f func(context.Context, A) (B, error), list Output[[]A], opts ...MapOption,
) Output[[]B] {
	each := produce(p, name, f == nil, func(ctx context.Context, s *tasks.Stage) (b B, err error) {
		if s.Item == nil {
			return b, errors.New("the stage was executed as a whole, not for an element")
		}
		var a A
		if err := cache.JSON.Decode(s.Item, &a); err != nil {
			return b, NoRetry(fmt.Errorf("element %d of stage %q: %w", s.Index, list.name, err))
		}
		return f(ctx, a)
	}, opts)

	each.takes(list.Stage, reflect.TypeFor[[]A]())
	if list.Stage == nil {
		return Output[[]B](each)
	}

	each.policy.ForEach = list.name

	// The coordinator counts the elements and joins the outputs without the types of this program.
	for _, s := range []*Stage{list.Stage, each.Stage} {
		if s.codec != cache.JSON {
			p.problems = append(p.problems, fmt.Errorf(
				"stage %q: Map needs lists in JSON: give %q the option Codec(cache.JSON)", name, s.name))
		}
	}

	return Output[[]B](each)
}
