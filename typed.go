package godags

import (
	"context"
	"errors"
	"fmt"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/tasks"
)

// Output is a stage whose function returns a T. It is an edge to be: [Then] and [Join] take it as input, and do not compile
// if their function wants another type.
type Output[T any] struct{ *Stage }

// Produce adds a stage with an output and without inputs. Use [Stage.After] to order it behind others.
func Produce[T any](p *Pipeline, name string, f func(context.Context) (T, error), opts ...Option) Output[T] {
	return produce(p, name, func(ctx context.Context, _ *tasks.Stage) (T, error) { return f(ctx) }, opts)
}

// Then adds a stage that takes the output of another, and starts when that one has succeeded.
func Then[A, B any](p *Pipeline, name string, f func(context.Context, A) (B, error), in Output[A], opts ...Option) Output[B] {
	out := produce(p, name, func(ctx context.Context, s *tasks.Stage) (b B, err error) {
		a, err := input(ctx, s, in)
		if err != nil {
			return b, err
		}
		return f(ctx, a)
	}, opts)
	out.After(in)
	return out
}

// Join adds a stage that takes the outputs of two others, and starts when both have succeeded.
func Join[A, B, C any](p *Pipeline, name string, f func(context.Context, A, B) (C, error), inA Output[A], inB Output[B], opts ...Option) Output[C] {
	out := produce(p, name, func(ctx context.Context, s *tasks.Stage) (c C, err error) {
		a, err := input(ctx, s, inA)
		if err != nil {
			return c, err
		}
		b, err := input(ctx, s, inB)
		if err != nil {
			return c, err
		}
		return f(ctx, a, b)
	}, opts)
	out.After(inA, inB)
	return out
}

// Join3 adds a stage that takes the outputs of three others, and starts when all have succeeded.
func Join3[A, B, C, D any](p *Pipeline, name string, f func(context.Context, A, B, C) (D, error), inA Output[A], inB Output[B], inC Output[C], opts ...Option) Output[D] {
	out := produce(p, name, func(ctx context.Context, s *tasks.Stage) (d D, err error) {
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
	}, opts)
	out.After(inA, inB, inC)
	return out
}

func produce[T any](p *Pipeline, name string, f func(context.Context, *tasks.Stage) (T, error), opts []Option) Output[T] {
	return Output[T]{p.add(name, func(ctx context.Context, s *tasks.Stage) error {
		v, err := f(ctx, s)
		if err != nil {
			return err
		}
		value, err := cache.Marshal(codecOf(ctx), v)
		if err != nil {
			return fmt.Errorf("encode output: %w", err)
		}
		s.Values.SetOutput(value)
		return nil
	}, opts)}
}

func input[T any](ctx context.Context, s *tasks.Stage, in Output[T]) (v T, err error) {
	value, err := s.Values.Output(ctx, in.name)
	if to, ok := ctx.Value(stageKey{}).(*Stage); ok && to.policy.Trigger != AllSuccess && errors.Is(err, tasks.ErrNoOutput) {
		return v, nil
	}
	if err == nil {
		err = cache.Unmarshal(value, &v, in.codec)
	}
	if err != nil {
		return v, fmt.Errorf("input from stage %q: %w", in.name, err)
	}
	return v, nil
}
