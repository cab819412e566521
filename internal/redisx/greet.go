package redisx

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	answerTimeout = 5 * time.Second  // for a Redis to answer at all
	loadTimeout   = 30 * time.Second // for a Redis to read its data set
	pollInterval  = 10 * time.Millisecond
)

// info holds the fields of INFO. It is nil if the user may not run INFO.
type info map[string]string

// greet waits until Redis answers, checks its version and returns its INFO.
func greet(ctx context.Context, client redis.UniversalClient) (info, error) {
	if err := awaitPong(ctx, client); err != nil {
		return nil, err
	}

	i, err := readInfo(ctx, client)
	if err != nil {
		return nil, err
	}
	if i.tooOld() {
		return nil, tooOldError(i.name())
	}

	return i, nil
}

// awaitPong waits until Redis answers and has loaded its data set.
func awaitPong(ctx context.Context, client redis.UniversalClient) error {
	loaded, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	for {
		// A Redis that loads tells so at once, so each answer has a short limit of its kind. Only
		// the loading as a whole may take long.
		answered, cancel := context.WithTimeout(loaded, answerTimeout)
		err := client.Ping(answered).Err()
		cancel()
		if !redis.IsLoadingError(err) {
			return err
		}
		if pause(loaded) != nil {
			return err
		}
	}
}

// pause waits for one poll interval or the end of ctx.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(pollInterval):
		return nil
	}
}

// readInfo reads INFO. It returns nil if Redis refuses that.
func readInfo(ctx context.Context, client redis.UniversalClient) (info, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()

	// A user without the right to INFO can still have all rights that runs need. Then the version
	// stays unknown, and that is no error.
	text, err := client.Info(ctx).Result()
	var refused redis.Error
	if errors.As(err, &refused) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	i := info{}
	for line := range strings.Lines(text) {
		if field, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			i[field] = value
		}
	}

	return i, nil
}

// name returns the product and its version, as far as they are known.
func (i info) name() string {
	// Valkey also reports the Redis version with which it is compatible.
	if v := i["valkey_version"]; v != "" {
		return "Valkey " + v
	}
	return strings.TrimSpace("Redis " + i["redis_version"])
}

func (i info) tooOld() bool { return olderThan62(i["redis_version"]) }

// olderThan62 reports whether a version is known to be below 6.2.
func olderThan62(version string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 {
		return false
	}
	return major < 6 || (major == 6 && minor < 2)
}

// tooOldError reports a Redis below 6.2. It holds product and version.
type tooOldError string

func (e tooOldError) Error() string { return "it is " + string(e) + ", and 6.2 or newer is needed" }
