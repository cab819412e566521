package retry_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godags/godags/internal/retry"
)

var (
	errAway = errors.New("away")
	errGone = errors.New("gone")
)

func isGone(err error) bool { return errors.Is(err, errGone) }

func TestDo_WaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var waits []time.Duration
		told := 0
		policy := retry.Policy{Backoff: retry.Backoff{First: time.Second, Max: 3 * time.Second}, Failed: func(error) { told++ }}
		err := retry.Do(t.Context(), policy, func() error {
			waits = append(waits, time.Since(begin))
			begin = time.Now()
			if len(waits) < 5 {
				return errAway
			}
			return nil
		})
		want := []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second}
		if err != nil || !slices.Equal(waits, want) || told != 4 {
			t.Errorf("waited %v, told of %d errors, %v; want %v, 4 and nil", waits, told, err, want)
		}
	})
}

func TestDo_EndsWithAFinalError(t *testing.T) {
	calls := 0
	policy := retry.Policy{Final: isGone, Failed: func(err error) { t.Errorf("told of %v", err) }}
	err := retry.Do(t.Context(), policy, func() error {
		calls++
		return errGone
	})
	if !isGone(err) || calls != 1 {
		t.Errorf("got %v after %d calls, want %v after one", err, calls, errGone)
	}
}

func TestDo_EndsWhenStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begin := time.Now()
		policy := retry.Policy{Backoff: retry.Backoff{First: time.Minute, Max: time.Minute}, Final: isGone}
		err := retry.Do(ctx, policy, func() error { return errAway })
		if !errors.Is(err, errAway) || time.Since(begin) != 10*time.Second {
			t.Errorf("got %v after %v, want %v after 10s", err, time.Since(begin), errAway)
		}
	})
}

func TestDo_CallsOnceThoughStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := 0
	err := retry.Do(ctx, retry.Policy{Backoff: retry.Redis}, func() error {
		calls++
		return errAway
	})
	if !errors.Is(err, errAway) || calls != 1 {
		t.Errorf("got %v after %d calls, want %v after one", err, calls, errAway)
	}
}
