package cache

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound is matched by every [*NotFoundError].
	ErrNotFound = errors.New("cache: value not found")
	// ErrTooLarge is matched by every [*TooLargeError].
	ErrTooLarge = errors.New("cache: value too large")
)

// NotFoundError says that there is no value under a key.
type NotFoundError struct {
	Key    Key
	Stage  string // the stage that asked; empty when no stage did
	Damage string // what is wrong with the stored entry; empty when there is no entry
}

// Error names the key, the run and, when known, the stage.
func (e *NotFoundError) Error() string {
	what := "cache: no value " + e.Key.String()
	if e.Stage != "" {
		what += " for stage " + quote(e.Stage)
	}
	if e.Damage != "" {
		return what + ": the stored entry is damaged (" + e.Damage + "); run the stage that puts it again"
	}
	return what + ": a stage that comes before must put it first"
}

// Unwrap returns [ErrNotFound].
func (e *NotFoundError) Unwrap() error { return ErrNotFound }

// TooLargeError says that a value is larger than its backend takes. Nothing was stored.
type TooLargeError struct {
	Key     Key
	Size    int64  // bytes of the value
	Limit   int64  // most bytes that the backend takes for one value
	Backend string // "memory", "disk", "redis", or the name of a user's own
}

// Error names the key, the run and both sizes, and says what to do.
func (e *TooLargeError) Error() string {
	advice := "raise its limit with cache.MaxSize"
	if e.Backend != "disk" {
		advice = "keep it on disk with cache.Disk, or " + advice
	}
	return fmt.Sprintf("cache: value %s is too large: %s, and the %s backend takes at most %s: %s",
		e.Key, bytesText(e.Size), e.Backend, bytesText(e.Limit), advice)
}

// Unwrap returns [ErrTooLarge].
func (e *TooLargeError) Unwrap() error { return ErrTooLarge }

// bytesText writes n as people say it, such as "1.5 GiB".
func bytesText(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}

	size := float64(n) / (1 << 10)
	unit := 0
	for ; size >= 1<<10 && unit < 5; unit++ {
		size /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB (%d bytes)", size, "KMGTPE"[unit], n)
}

// failed says which operation on which key failed, and where. Without an err there is nothing to
// say: nil.
func failed(op string, key Key, where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cache: %s %s %s: %w", op, key, where, err)
}

// failedRun says which run's values could not be removed, and from where; nil without an err.
func failedRun(run, where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cache: remove the values of run %s from %s: %w", quote(run), where, err)
}
