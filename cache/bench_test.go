package cache_test

import (
	"testing"

	"github.com/godags/godags/cache"
)

func BenchmarkSmall(b *testing.B) {
	for _, backend := range []struct {
		name string
		open func(b *testing.B) cache.Cache
	}{
		{"memory", func(*testing.B) cache.Cache { return cache.Memory() }},
		{"disk", func(b *testing.B) cache.Cache { return cache.Disk(b.TempDir()) }},
		{"redis", func(b *testing.B) cache.Cache { return cache.Redis(openRedis(b)) }},
		{"miniredis", func(b *testing.B) cache.Cache { return cache.Redis(openMiniredis(b)) }},
	} {
		b.Run("put/"+backend.name, func(b *testing.B) {
			c, value := backend.open(b), text(100)
			b.ReportAllocs()
			for b.Loop() {
				put(b, c, key, value)
			}
		})
		b.Run("get/"+backend.name, func(b *testing.B) {
			c := backend.open(b)
			put(b, c, key, text(100))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Get(b.Context(), key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
