package tasks

// Middleware wraps a handler, for example to measure it or to trace it. The handler that it returns
// is called once for each attempt, and calls next to execute the stage:
//
//	func timed(next tasks.Handler) tasks.Handler {
//		return tasks.HandlerFunc(func(ctx context.Context, s *tasks.Stage) error {
//			begin := time.Now()
//			err := next.Handle(ctx, s)
//			fmt.Fprintf(s.Log, "%s took %s\n", s.Name, time.Since(begin))
//			return err
//		})
//	}
//
// A middleware may be called from several goroutines. A panic in it fails the attempt.
type Middleware func(next Handler) Handler

// Wrap returns h inside the given middleware. The first one is the outermost.
func Wrap(h Handler, middleware ...Middleware) Handler {
	for i := len(middleware) - 1; i >= 0; i-- {
		h = middleware[i](h)
	}
	return h
}
