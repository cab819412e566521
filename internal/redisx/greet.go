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

// info is what INFO tells: field -> value. Nil when Redis does not let us ask.
type info map[string]string

// greet waits until Redis answers and returns what it tells about itself.
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

func awaitPong(ctx context.Context, client redis.UniversalClient) error {
	loaded, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	for {
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

// readInfo asks for INFO. A Redis that answers but refuses gives a nil info.
func readInfo(ctx context.Context, client redis.UniversalClient) (info, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()

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

// name is the product with its version, as far as it is known.
func (i info) name() string {
	if v := i["valkey_version"]; v != "" {
		return "Valkey " + v
	}
	return strings.TrimSpace("Redis " + i["redis_version"])
}

func (i info) tooOld() bool { return olderThan62(i["redis_version"]) }

// olderThan62 tells whether version is known to be below 6.2.
func olderThan62(version string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 {
		return false
	}
	return major < 6 || (major == 6 && minor < 2)
}

// tooOldError is a Redis below 6.2; it holds product and version.
type tooOldError string

func (e tooOldError) Error() string { return "it is " + string(e) + ", and 6.2 or newer is needed" }
