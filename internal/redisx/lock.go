//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package redisx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock waits for a lock on the file at path, LOCK_EX or LOCK_SH. Closing the file releases the
// lock.
func lock(ctx context.Context, path string, how int) (*os.File, error) {
	// Polled, because a wait in the kernel cannot be ended by a context.
	for {
		f, err := lockNow(path, how)
		if f != nil || err != nil {
			return f, err
		}
		if err := pause(ctx); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", path, err)
		}
	}
}

// lockNow is lock without waiting. It returns nil if another process has the lock.
func lockNow(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}

	switch err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, f.Close()
	default:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
}

// isFree reports whether no process has a lock on the file at path.
func isFree(path string) (bool, error) {
	f, err := lockNow(path, syscall.LOCK_EX)
	if f == nil || err != nil {
		return false, err
	}
	return true, f.Close()
}
