package cache

import (
	"bytes"
	"context"
	"sync"
)

// MemoryCache keeps values in this process. Make one with [Memory].
type MemoryCache struct {
	options options

	mu   sync.RWMutex
	runs map[string]map[string][]byte // run -> name -> value; a stored slice is never changed
}

// Memory returns an empty cache in this process. Its values are gone when the process ends, and
// other processes do not see them. One value may have up to 1 GiB (see [MaxSize]); there is no
// limit on all of them together.
func Memory(opts ...Option) *MemoryCache {
	return &MemoryCache{options: newOptions(1<<30, opts), runs: map[string]map[string][]byte{}}
}

// MaxSize returns the most bytes that one value may have.
func (c *MemoryCache) MaxSize() int64 { return c.options.maxSize }

// Get implements [Cache].
func (c *MemoryCache) Get(ctx context.Context, key Key) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("get", key, "from memory", err)
	}

	c.mu.RLock()
	value, found := c.runs[key.Run][key.Name]
	c.mu.RUnlock()

	// Copied below without the lock, since a stored slice is never changed.
	if !found {
		return nil, &NotFoundError{Key: key}
	}

	return bytes.Clone(value), nil
}

// Put implements [Cache].
func (c *MemoryCache) Put(ctx context.Context, key Key, value []byte) error {
	if err := ctx.Err(); err != nil {
		return failed("put", key, "in memory", err)
	}

	if err := c.options.checkSize("memory", key, value); err != nil {
		return err
	}

	// Before the lock: a copy of a large value takes longer than the rest of this function.
	value = bytes.Clone(value)
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.runs[key.Run] == nil {
		c.runs[key.Run] = map[string][]byte{}
	}

	c.runs[key.Run][key.Name] = value
	return nil
}

// Delete implements [Cache].
func (c *MemoryCache) Delete(ctx context.Context, key Key) error {
	if err := ctx.Err(); err != nil {
		return failed("delete", key, "from memory", err)
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	// The map of a run goes with its last value, so that a long process does not collect empty
	// maps.
	delete(c.runs[key.Run], key.Name)
	if len(c.runs[key.Run]) == 0 {
		delete(c.runs, key.Run)
	}
	return nil
}

// RemoveRun implements [Remover].
func (c *MemoryCache) RemoveRun(ctx context.Context, run string) error {
	if err := ctx.Err(); err != nil {
		return failedRun(run, "memory", err)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.runs, run)
	return nil
}
