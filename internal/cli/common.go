package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"
)

// Flags that several commands have. Each command needs a new one: urfave/cli stores in the flag
// what it read from the environment.

func redisFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "redis", EnvVars: []string{"REDIS_URL"},
		Usage: "connect to Redis at `URL`: redis://, rediss://, unix:// or redis-sentinel:// (default: a private Redis)"}
}

// sharedRedisFlag is for services, which have no use for a private Redis.
func sharedRedisFlag() *ucli.StringFlag {
	f := redisFlag()
	f.Usage = "connect to Redis at `URL`: redis://, rediss://, unix:// or redis-sentinel:// (required)"
	return f
}

func nameFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "name",
		Usage: "list the process as `NAME` and a few letters that make it unique (default: the name of the host)"}
}

func homeFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "home", EnvVars: []string{"GODAGS_HOME"},
		Usage: "keep the state of a private Redis in `FOLDER` (default: .godags)"}
}

func colorFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "color", Value: "auto", Usage: "use colour `WHEN`: auto, always, never"}
}

func outFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "output", Value: "text", EnvVars: []string{"GODAGS_OUTPUT_FORMAT"},
		Usage: "print the result as `FORMAT`: text, json"}
}

// short formats a duration for people, with about three digits.
func short(d time.Duration) string {
	switch {
	// Rounding would give 0s, which looks like a stage that was not executed.
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

// parseAge parses a duration with a number of days, such as 30d, or any form of
// [time.ParseDuration].
func parseAge(text string) (time.Duration, error) {
	// time.ParseDuration has no days, and runs are kept for days.
	if days, ok := strings.CutSuffix(text, "d"); ok {
		// More days would overflow a duration.
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 100_000 {
			return time.Duration(n * float64(24*time.Hour)), nil
		}
	}

	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration: write it as 90m, 12h or 30d", text)
	}

	return d, nil
}
