package redistest

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Resend is a hook that loses the first reply to every script.
type Resend struct{}

// DialHook implements [redis.Hook].
func (Resend) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (Resend) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements [redis.Hook].
func (Resend) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") {
			next(ctx, cmd) // the reply that is lost
			cmd.SetErr(nil)
		}
		return next(ctx, cmd)
	}
}
