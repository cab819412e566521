package cachetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/godags/godags/cache"
)

// readersAndWriters has writers replace one value by others of very different sizes, while readers
// check that they always get one of them, whole. The first 8 bytes of each value determine the
// others.
func readersAndWriters(t *testing.T, c cache.Cache) {
	const writers, readers, rounds = 3, 3, 2
	key := cache.Key{Run: "run", Name: "contended"}

	// The large versions have different numbers of chunks of 1 MiB, as the Redis backend stores
	// them. Larger ones find no more, and readers copy them all the time.
	var versions [][]byte
	for seed, size := range []int{0, 100, 70_000, 3 << 19, 5 << 19} {
		if int64(size)+8 <= limit(c) {
			versions = append(versions, telling(uint64(seed), size))
		}
	}

	put(t, c, key, versions[0])

	// Each writer begins at another version, so that versions of different sizes meet.
	var writing, reading sync.WaitGroup
	written := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			for round := range rounds * len(versions) {
				if err := c.Put(t.Context(), key, versions[(round+w)%len(versions)]); err != nil {
					t.Errorf("Put beside other writers: %v", err)
					return
				}
			}
		})
	}

	for range readers {
		reading.Go(func() { readUntil(t, c, key, versions, written) })
	}

	writing.Wait()
	close(written)
	reading.Wait()
}

func readUntil(t *testing.T, c cache.Cache, key cache.Key, versions [][]byte, written <-chan struct{}) {
	for {
		got, err := c.Get(t.Context(), key)
		if err == nil {
			err = check(got, versions)
		}
		if err != nil {
			t.Errorf("Get beside writers: %v", err)
			return
		}

		select {
		case <-written:
			return
		default:
		}
	}
}

func telling(seed uint64, size int) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, seed), noise(seed, size)...)
}

func check(got []byte, versions [][]byte) error {
	if len(got) < 8 || binary.LittleEndian.Uint64(got) >= uint64(len(versions)) {
		return fmt.Errorf("got %s, which was never put", brief(got))
	}
	version := binary.LittleEndian.Uint64(got)
	if whole := versions[version]; !bytes.Equal(got, whole) {
		return fmt.Errorf("torn value: it begins like the version of %d bytes, has %d bytes, and differs", len(whole), len(got))
	}
	return nil
}
