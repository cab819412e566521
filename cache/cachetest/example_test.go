package cachetest_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/cache/cachetest"
)

// Cupboard is a backend of one's own. The channel holds its shelves, and is its lock.
type Cupboard chan map[cache.Key][]byte

func NewCupboard() Cupboard {
	c := make(Cupboard, 1)
	c <- map[cache.Key][]byte{}
	return c
}

// open waits for the shelves; the caller gives them back.
func (c Cupboard) open(ctx context.Context) (map[cache.Key][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case shelves := <-c:
		return shelves, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c Cupboard) Get(ctx context.Context, key cache.Key) ([]byte, error) {
	shelves, err := c.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("cupboard: get %v: %w", key, err)
	}
	defer func() { c <- shelves }()
	value, found := shelves[key]
	if !found {
		return nil, &cache.NotFoundError{Key: key}
	}
	return bytes.Clone(value), nil
}

func (c Cupboard) Put(ctx context.Context, key cache.Key, value []byte) error {
	shelves, err := c.open(ctx)
	if err != nil {
		return fmt.Errorf("cupboard: put %v: %w", key, err)
	}
	defer func() { c <- shelves }()
	shelves[key] = bytes.Clone(value)
	return nil
}

func (c Cupboard) Delete(ctx context.Context, key cache.Key) error {
	shelves, err := c.open(ctx)
	if err != nil {
		return fmt.Errorf("cupboard: delete %v: %w", key, err)
	}
	defer func() { c <- shelves }()
	delete(shelves, key)
	return nil
}

// In your own package this is TestCupboard, in a file that ends in _test.go.
func testCupboard(t *testing.T) {
	cachetest.Run(t, func(t *testing.T) cache.Cache { return NewCupboard() })
}

func Example() {
	tests := []testing.InternalTest{{Name: "TestCupboard", F: testCupboard}}
	fmt.Println("go test would run", tests[0].Name)
	// Output: go test would run TestCupboard
}
