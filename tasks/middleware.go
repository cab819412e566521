package tasks

import "context"

// Middleware wraps a handler, for example to measure it or to trace it. The handler that it returns
// is called once for each attempt, and calls next to execute the stage. See the example of
// [Registry.Use].
//
// A middleware may change the context and the error. If next panics, it returns a [*PanicError], so
// that a middleware sees every failure as an error. A middleware may be called from several
// goroutines at once. A panic in a middleware fails the attempt.
type Middleware func(next Handler) Handler

// Wrap returns h inside the given middleware. The first one is the outermost. Without middleware it
// returns h itself.
func Wrap(h Handler, middleware ...Middleware) Handler {
	if len(middleware) == 0 {
		return h
	}

	// The panic must become an error inside the middleware, and not only in Run, which is outside.
	inner := h
	h = HandlerFunc(func(ctx context.Context, s *Stage) error { return handle(ctx, inner, s) })
	for i := len(middleware) - 1; i >= 0; i-- {
		h = middleware[i](h)
	}
	return h
}
