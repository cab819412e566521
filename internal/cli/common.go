package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
)

// Flags that several commands have. Each needs one of its own: urfave/cli keeps what was read from
// the environment in it.

func redisFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "redis", EnvVars: []string{"REDIS_URL"}, Usage: "`URL` of Redis: redis://, rediss://, unix:// or redis-sentinel:// (default: a Redis of our own)"}
}

func homeFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "home", EnvVars: []string{"GODAGS_HOME"}, Usage: "`FOLDER` for the state of a Redis of our own (default: .godags)"}
}

func colorFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "color", Value: "auto", Usage: "`WHEN` to use colour: auto, always, never"}
}

func outFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "output", Value: "text", EnvVars: []string{"GODAGS_OUTPUT_FORMAT"}, Usage: "`FORMAT` of the result: text, json"}
}

// connect opens the Redis that the flags name. The caller closes the session.
func (p Program) connect(ctx context.Context, c *ucli.Context, logger *slog.Logger) (*engine.Session, error) {
	return p.connectFor(ctx, c, logger, 0)
}

// connectFor is connect for somebody who needs many connections.
func (p Program) connectFor(ctx context.Context, c *ucli.Context, logger *slog.Logger, connections int) (*engine.Session, error) {
	registry, caches, err := engine.Collect(p.Pipelines...)
	if err != nil {
		return nil, err
	}
	return engine.Open(ctx, engine.Config{Redis: c.String("redis"), Home: homeOf(c), Registry: registry, Caches: caches, Logger: logger,
		Connections: connections})
}

// asJSON reports whether the result is wanted as JSON.
func asJSON(c *ucli.Context) (bool, error) {
	switch format := c.String("output"); format {
	case "json":
		return true, nil
	case "text", "":
		return false, nil
	default:
		return false, usageError("--output is text or json, not %q", format)
	}
}

// short writes a duration as people say it.
func short(d time.Duration) string {
	switch {
	case d > 0 && d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// parseAge reads a duration as people write long ones: 30d, or whatever [time.ParseDuration] takes.
func parseAge(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 100_000 {
			return time.Duration(n * float64(24*time.Hour)), nil
		}
	}

	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no time: write it as 90m, 12h or 30d", text)
	}

	return d, nil
}
