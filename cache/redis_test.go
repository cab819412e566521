package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/cache/cachetest"
	"github.com/godags/godags/internal/redistest"
	"github.com/redis/go-redis/v9"
)

const chunk = 1 << 20 // bytes in one Redis key

// openCluster starts a cluster of one node, which enforces that the keys of a command share a slot.
func openCluster(t testing.TB) *redis.ClusterClient {
	t.Helper()
	socket, log := startRedis(t, "--cluster-enabled", "yes", "--cluster-port", redistest.FreePort(t), "--bind", "127.0.0.1")
	node := connect(t, &redis.Options{Network: "unix", Addr: socket})
	if err := node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	waitForLine(t, log, "Cluster state changed: ok")
	cluster := redis.NewClusterClient(&redis.ClusterOptions{
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{{Start: 0, End: 16383, Nodes: []redis.ClusterNode{{Addr: "127.0.0.1:1"}}}}, nil
		},
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	})
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

func TestRedisClusterConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the suite is run on one Redis already")
	}
	t.Parallel()
	cluster := openCluster(t)
	cachetest.Run(t, func(t *testing.T) cache.Cache {
		if err := cluster.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return cache.Redis(cluster, cache.MaxSize(suiteLimit))
	})
}

// keysOf names the keys that hold values.
func keysOf(t *testing.T, client redis.UniversalClient) []string {
	t.Helper()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasSuffix(key, ":val-names") })
	slices.Sort(keys)
	return keys
}

func stored(t *testing.T, client redis.UniversalClient, key string) []byte {
	t.Helper()
	b, err := client.Get(t.Context(), key).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}

func store(t *testing.T, client redis.UniversalClient, key string, value []byte) {
	t.Helper()
	if err := client.Set(t.Context(), key, value, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func wantKeys(t *testing.T, client redis.UniversalClient, count int) []string {
	t.Helper()
	keys := keysOf(t, client)
	if len(keys) != count {
		t.Fatalf("got the keys %q, want %d", keys, count)
	}
	return keys
}

func TestRedisValueCanBeReadByPeople(t *testing.T) {
	client := openMiniredis(t)
	put(t, cache.Redis(client), key, []byte("json\n{\"rows\":178}"))
	put(t, cache.Redis(client, cache.Prefix("other:")), key, []byte("x"))
	if got := keysOf(t, client); !slices.Equal(got, []string{"godags:{wine-1}:val:features", "other:{wine-1}:val:features"}) {
		t.Errorf("the keys are %q", got)
	}
	if got := string(stored(t, client, "godags:{wine-1}:val:features")); !strings.HasSuffix(got, " raw 17\njson\n{\"rows\":178}") {
		t.Errorf("the value is %q", got)
	}
}

func TestRedisCompressesAndChunks(t *testing.T) {
	client := openMiniredis(t)
	c := cache.Redis(client)
	put(t, c, key, text(20<<20))
	wantKeys(t, client, 1)
	put(t, c, key, noise(chunk))
	wantKeys(t, client, 1)
	put(t, c, key, noise(chunk+1))
	wantKeys(t, client, 3)
	put(t, c, key, noise(3*chunk))
	for _, key := range wantKeys(t, client, 4) {
		if ttl := client.TTL(t.Context(), key).Val(); ttl != -1 {
			t.Errorf("%s expires in %v: a stored value must stay", key, ttl)
		}
	}
	put(t, c, key, []byte("small"))
	wantKeys(t, client, 1)
	put(t, c, key, noise(chunk+1))
	if err := c.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, client, 0)
}

func TestRedisDamagedEntryIsMissing(t *testing.T) {
	client := openMiniredis(t)
	c := cache.Redis(client)
	const head = "godags:{wine-1}:val:features"
	for name, value := range map[string][]byte{"raw": []byte("json\n{}"), "compressed": text(100 << 10), "chunked": noise(chunk + 1)} {
		put(t, c, key, value)
		whole := stored(t, client, head)
		step := 1 + len(value)/(chunk/5) // to read chunks each time is slow
		for at := 0; at < len(whole); at += step {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 0x10
			store(t, client, head, damaged)
			wantDamaged(t, c, key, fmt.Sprintf("%s with a change at byte %d", name, at))
			store(t, client, head, whole[:at])
			wantDamaged(t, c, key, fmt.Sprintf("%s cut to %d bytes", name, at))
		}
		store(t, client, head, append(whole, 0))
		wantDamaged(t, c, key, name+" with a byte more")
		store(t, client, "godags:{wine-1}:val:featured", whole)
		wantDamaged(t, c, cache.Key{Run: key.Run, Name: "featured"}, name+" under another key")
		store(t, client, head, whole)
	}
}

func TestRedisDamagedChunkIsMissing(t *testing.T) {
	client := openMiniredis(t)
	c := cache.Redis(client)
	put(t, c, key, noise(2*chunk+1))
	chunks := wantKeys(t, client, 4)[:3] // "val-chunk:" sorts before "val:"
	for i, key0 := range chunks {
		whole := stored(t, client, key0)
		damaged := bytes.Clone(whole)
		damaged[len(damaged)/2] ^= 1
		store(t, client, key0, damaged)
		wantDamaged(t, c, key, fmt.Sprintf("a change in chunk %d", i))
		store(t, client, key0, whole[:len(whole)-1])
		wantDamaged(t, c, key, fmt.Sprintf("chunk %d cut", i))
		store(t, client, key0, stored(t, client, chunks[(i+1)%3]))
		wantDamaged(t, c, key, fmt.Sprintf("chunk %d replaced by its neighbour", i))
		if err := client.Del(t.Context(), key0).Err(); err != nil {
			t.Fatal(err)
		}
		wantDamaged(t, c, key, fmt.Sprintf("chunk %d missing", i))
		store(t, client, key0, whole)
	}
	if got, err := c.Get(t.Context(), key); err != nil || !bytes.Equal(got, noise(2*chunk+1)) {
		t.Errorf("the restored value: got %d bytes, %v", len(got), err)
	}
}

// between is a hook that calls before ahead of every command, and sends commands twice when told
// to.
type between struct {
	before func(cmd redis.Cmder) error
	twice  bool
}

func (b between) DialHook(next redis.DialHook) redis.DialHook { return next }
func (b between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (b between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if b.before != nil {
			if err := b.before(cmd); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		if b.twice {
			if err := next(ctx, cmd); err != nil {
				return err
			}
		}
		return next(ctx, cmd)
	}
}

// The client sends a command again when the reply was lost.
func TestRedisCommandsCanBeSentTwice(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *redis.Client{
		"miniredis": openMiniredis,
		"redis":     func(t testing.TB) *redis.Client { return openRedis(t) },
	} {
		t.Run(name, func(t *testing.T) {
			client := open(t)
			client.AddHook(between{twice: true})
			c := cache.Redis(client)
			for _, value := range [][]byte{noise(chunk + 1), noise(2*chunk + 1), []byte("small"), noise(chunk + 2)} {
				put(t, c, key, value)
				if got, err := c.Get(t.Context(), key); err != nil || !bytes.Equal(got, value) {
					t.Fatalf("got %d bytes and error %v, want %d bytes", len(got), err, len(value))
				}
			}
			wantKeys(t, client, 3)
			if err := errors.Join(c.Delete(t.Context(), key), c.RemoveRun(t.Context(), key.Run)); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, client, 0)
		})
	}
}

// A reader that has the head of one version and meets the chunks of none starts again with the next
// version.
func TestRedisReaderIsOvertakenByAWriter(t *testing.T) {
	client := openMiniredis(t)
	writer := cache.Redis(client)
	put(t, writer, key, noise(chunk+1))

	overtaken := 0
	reading := connect(t, client.Options())
	reading.AddHook(between{before: func(cmd redis.Cmder) error {
		if cmd.Name() == "get" && strings.Contains(fmt.Sprint(cmd.Args()[1]), "val-chunk:") && overtaken < 3 {
			overtaken++
			return writer.Put(t.Context(), key, noise(chunk+1+overtaken))
		}
		return nil
	}})
	got, err := cache.Redis(reading).Get(t.Context(), key)
	if err != nil || !bytes.Equal(got, noise(chunk+4)) {
		t.Errorf("got %d bytes and error %v, want the last version of %d bytes", len(got), err, chunk+4)
	}
}

func TestRedisFailedPutKeepsTheOldValue(t *testing.T) {
	// the first chunk, the last, the replacement
	for _, failing := range []string{"set 0", "set 2", "evalsha"} {
		client := openMiniredis(t)
		c := cache.Redis(client)
		put(t, c, key, noise(chunk+1))
		failure := errors.New("failure of " + failing)
		client.AddHook(between{before: func(cmd redis.Cmder) error {
			name := cmd.Name()
			if key := fmt.Sprint(cmd.Args()[1]); name == "set" {
				name += " " + key[strings.LastIndex(key, ":")+1:]
			}
			if name == failing {
				return failure
			}
			return nil
		}})
		if err := c.Put(t.Context(), key, noise(2*chunk+1)); !errors.Is(err, failure) {
			t.Errorf("got error %v, want %v", err, failure)
		}
		if got, err := c.Get(t.Context(), key); err != nil || !bytes.Equal(got, noise(chunk+1)) {
			t.Errorf("after %v: got %d bytes and error %v, want the old value", failure, len(got), err)
		}
		for _, name := range keysOf(t, client) {
			if expires := client.TTL(t.Context(), name).Val() > 0; expires && failing != "evalsha" {
				t.Errorf("after %v: %s was left", failure, name)
			}
		}
		if failing == "evalsha" {
			// the reply may have been lost: the new chunks expire if they are not taken
			wantKeys(t, client, 3+3)
		}
	}
}

func TestRedisChunksThatAreGoneFailThePut(t *testing.T) {
	client := openMiniredis(t)
	c := cache.Redis(client)
	put(t, c, key, []byte("old"))
	other := connect(t, client.Options())
	client.AddHook(between{before: func(cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") {
			return other.Del(t.Context(), keysOf(t, other)[1]).Err()
		}
		return nil
	}})
	if err := c.Put(t.Context(), key, noise(2*chunk+1)); err == nil || !strings.Contains(err.Error(), "chunks of the value are gone") {
		t.Errorf("got error %v, want that chunks are gone", err)
	}
	if got, err := c.Get(t.Context(), key); err != nil || string(got) != "old" {
		t.Errorf("got %d bytes and error %v, want the old value", len(got), err)
	}
}

func TestRedisOutOfMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it fills a Redis")
	}
	client := openRedis(t, "--maxmemory", "20mb")
	c := cache.Redis(client)
	put(t, c, key, []byte("old"))
	err := c.Put(t.Context(), key, noise(40<<20))
	if err == nil || !strings.Contains(err.Error(), "OOM") || !strings.Contains(err.Error(), key.String()) {
		t.Errorf("got error %v, want OOM and the key", err)
	}
	wantKeys(t, client, 1)
	if got, err := c.Get(t.Context(), key); err != nil || string(got) != "old" {
		t.Errorf("got %d bytes and error %v, want the old value", len(got), err)
	}
}

func TestRedisRemoveRunLeavesOtherKeys(t *testing.T) {
	client := openMiniredis(t)
	c := cache.Redis(client)
	put(t, c, key, noise(chunk+1))
	store(t, client, "godags:{wine-1}:journal", nil)
	store(t, client, "godags:{wine-1}:log:1", nil)
	if err := c.RemoveRun(t.Context(), key.Run); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(t, client); !slices.Equal(got, []string{"godags:{wine-1}:journal", "godags:{wine-1}:log:1"}) {
		t.Errorf("the keys are %q", got)
	}
}

func TestRedisUnreachable(t *testing.T) {
	client := connect(t, &redis.Options{Network: "unix", Addr: t.TempDir() + "/none", MaxRetries: -1, DialerRetries: 1})
	c := cache.Redis(client)
	_, get := c.Get(t.Context(), key)
	for op, err := range map[string]error{"get": get, "put": c.Put(t.Context(), key, nil), "delete": c.Delete(t.Context(), key)} {
		if err == nil || errors.Is(err, cache.ErrNotFound) || !strings.Contains(err.Error(), key.String()) || !strings.Contains(err.Error(), "/none") {
			t.Errorf("%s: got %v, want an error that names the key and the address", op, err)
		}
	}
}
