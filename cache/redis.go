package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/guard"
)

const (
	// Bytes of an entry's payload in one Redis key. A transfer stops only between two chunks when
	// its context is done, so a chunk must be small enough for a slow link. Larger chunks are not
	// faster, even for a value of 512 MiB.
	chunkSize = 1 << 20
	// Chunks that no head names yet expire, in case their writer dies.
	chunkLife = time.Hour
	// Time to remove the chunks of a Put that failed.
	cleanupTime = 5 * time.Second
	removePage  = 100
)

// RedisCache keeps values in Redis. Make one with [Redis].
//
// The key is <prefix>{<run>}:val:<name>: all keys of a run share a cluster slot. It holds the
// entry, or, above 1 MiB, a head that names the chunks
// <prefix>{<run>}:val-chunk:<version>:<number>. Each Put has a new version. The set
// <prefix>{<run>}:val-names has the names of the run's values.
type RedisCache struct {
	client  redis.UniversalClient
	options options
}

// Redis returns a cache in Redis 6.2 or newer. The client stays the caller's, who closes it. One
// value may have up to 512 MiB (see [MaxSize]); values above 64 KiB are compressed. Values stay
// until they are deleted: Redis needs the memory for them, and `maxmemory-policy noeviction`.
func Redis(client redis.UniversalClient, opts ...Option) *RedisCache {
	return &RedisCache{client: client, options: newOptions(512<<20, opts)}
}

// MaxSize returns the most bytes that one value may have.
func (c *RedisCache) MaxSize() int64 { return c.options.maxSize }

// Get implements [Cache].
func (c *RedisCache) Get(ctx context.Context, key Key) ([]byte, error) {
	var head []byte
	for {
		again, err := c.fetch(ctx, c.headKey(key))
		if errors.Is(err, redis.Nil) {
			return nil, &NotFoundError{Key: key}
		}
		if err != nil {
			return nil, failed("get", key, "from Redis", err)
		}

		value, err := c.read(ctx, key, again)
		if err == nil {
			return value, nil
		}

		broken, damaged := errors.AsType[damage](err)
		if !damaged {
			return nil, failed("get", key, "from Redis", err)
		}

		// A new head means that a Put has replaced the chunks during the read: read the new ones.
		// The same head twice means that chunks are really missing.
		if bytes.Equal(head, again) {
			return nil, &NotFoundError{Key: key, Damage: string(broken)}
		}

		head = again
	}
}

// fetch fails with the context's error when it is done, whatever the client does with a context.
func (c *RedisCache) fetch(ctx context.Context, key string) ([]byte, error) {
	// A go-redis client heeds a context only with ContextTimeoutEnabled.
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	return c.client.Get(ctx, key).Bytes()
}

// read returns the value of an entry or of a head.
func (c *RedisCache) read(ctx context.Context, key Key, entry []byte) ([]byte, error) {
	version, count, header, chunked := parseHead(entry)
	if !chunked {
		return decode(key, entry, c.options.maxSize)
	}

	// No entry is larger than its value, compressed or not. The limit is checked on the way, since
	// other programs may have written the head and the chunks.
	parts := [][]byte{header}
	left := c.options.maxSize
	for number := range count {
		part, err := c.fetch(ctx, c.chunkKeys(key.Run)+version+":"+strconv.Itoa(number))
		if errors.Is(err, redis.Nil) {
			return nil, damage(fmt.Sprintf("chunk %d of %d is missing", number+1, count))
		}
		if err != nil {
			return nil, err
		}
		if left -= int64(len(part)); left < 0 {
			return nil, damage(fmt.Sprintf("its %d chunks have more bytes than the cache takes", count))
		}

		parts = append(parts, part)
	}

	return decode(key, bytes.Join(parts, nil), c.options.maxSize)
}

// Put implements [Cache]. A Put that fails midway leaves the value that was there.
func (c *RedisCache) Put(ctx context.Context, key Key, value []byte) error {
	if err := c.options.checkSize("redis", key, value); err != nil {
		return err
	}
	return failed("put", key, "in Redis", c.put(ctx, key, value))
}

func (c *RedisCache) put(ctx context.Context, key Key, value []byte) error {
	header, payload := encode(key, value)
	// Most values fit into one key, and need one call.
	if len(payload) <= chunkSize {
		return c.replace(ctx, key, slices.Concat(header, payload))
	}

	// Chunks are never overwritten: a reader of the old version must not get chunks of the new one.
	version := rand.Text()
	count, err := c.upload(ctx, c.chunkKeys(key.Run)+version, payload)
	if err != nil {
		return err
	}

	return c.replace(ctx, key, formatHead(version, count, header))
}

// upload stores payload in chunks. No head names them yet, so no reader sees them.
func (c *RedisCache) upload(ctx context.Context, version string, payload []byte) (count int, err error) {
	var keys []string
	for chunk := range slices.Chunk(payload, chunkSize) {
		keys = append(keys, version+":"+strconv.Itoa(len(keys)))

		err := ctx.Err()
		if err == nil {
			err = c.client.Set(ctx, keys[len(keys)-1], chunk, chunkLife).Err()
		}
		if err != nil {
			// ctx may be the reason for the error.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
			defer cancel()
			c.client.Unlink(ctx, keys...) // if this fails too, the chunks expire
			return 0, err
		}
	}

	return len(keys), nil
}

// Delete implements [Cache].
func (c *RedisCache) Delete(ctx context.Context, key Key) error {
	return failed("delete", key, "from Redis", c.replace(ctx, key, nil))
}

// replaceScript sets (or, when ARGV[1] is empty, deletes) the head KEYS[1] of the value with the
// name ARGV[2], keeps the chunks that the new head names and drops those of the old one. KEYS[2] is
// what the keys of the run's chunks begin with, KEYS[3] the set of its names. With KEYS[4] it does
// nothing, and drops the new chunks, unless that string has, at one of the offsets ARGV[3],
// ARGV[5], ..., the bytes that follow the offset. Sent twice, it acts once. It returns 1, 0 if
// chunks are missing, or -1 if it was refused.
var replaceScript = redis.NewScript(`
local function each(head, command)
  local version, count = string.match(head, '^chunks (%w+) (%d+)\n')
  for number = 0, tonumber(count or 0) - 1 do
    if redis.call(command, KEYS[2] .. version .. ':' .. number) == 0 and command == 'EXISTS' then return false end
  end
  return true
end
local new, old = ARGV[1], redis.call('GETRANGE', KEYS[1], 0, 127)
if new == old and string.sub(new, 1, 7) == 'chunks ' then return 1 end
local allowed = not KEYS[4]
for i = 3, #ARGV, 2 do
  allowed = allowed or redis.call('GETRANGE', KEYS[4], ARGV[i], ARGV[i] + #ARGV[i + 1] - 1) == ARGV[i + 1]
end
if not allowed then
  each(new, 'UNLINK')
  return -1
end
if not each(new, 'EXISTS') then return 0 end
each(new, 'PERSIST')
if new == '' then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[3], ARGV[2])
else
  redis.call('SET', KEYS[1], new)
  redis.call('SADD', KEYS[3], ARGV[2])
end
each(old, 'UNLINK')
return 1`)

func (c *RedisCache) replace(ctx context.Context, key Key, head []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	// A script, so that the head and the names of the run agree at all times, and so that the guard
	// is checked in the same step.
	keys, args := c.replaceArgs(ctx, key, head)
	done, err := replaceScript.Run(ctx, c.client, keys, args...).Int()
	if err == nil && done < 0 {
		err = guard.ErrRefused
	}

	if err == nil && done == 0 {
		err = fmt.Errorf("chunks of the value are gone: they were evicted, or the upload took over %v", chunkLife)
	}
	return err
}

// replaceArgs returns the keys and arguments of the script.
func (c *RedisCache) replaceArgs(ctx context.Context, key Key, head []byte) (keys []string, args []any) {
	keys = []string{c.headKey(key), c.chunkKeys(key.Run), c.namesKey(key.Run)}
	args = []any{head, key.Name}
	if g, guarded := guard.From(ctx); guarded {
		keys = append(keys, g.Key)
		for _, cell := range g.Cells {
			args = append(args, cell.Offset, cell.Want)
		}
	}

	return keys, args
}

func formatHead(version string, count int, header []byte) []byte {
	return fmt.Appendf(nil, "chunks %s %d\n%s", version, count, header)
}

// parseHead takes a head apart. A stored value that is no head, because it is an entry or damaged,
// is not chunked.
func parseHead(stored []byte) (version string, count int, header []byte, chunked bool) {
	// A damaged value may be one long line, of which a head needs only the beginning.
	line, header, _ := bytes.Cut(stored, []byte("\n"))
	words := strings.Split(string(line[:min(len(line), 128)]), " ")
	if len(words) != 3 || words[0] != "chunks" {
		return "", 0, nil, false
	}
	count, err := strconv.Atoi(words[2])
	return words[1], count, header, err == nil && count > 0
}

// RemoveRun implements [Remover]. It removes 100 values at a time, so that Redis serves others in
// between.
func (c *RedisCache) RemoveRun(ctx context.Context, run string) error {
	for {
		if err := ctx.Err(); err != nil {
			return failedRun(run, "Redis", err)
		}

		names, err := c.client.SRandMemberN(ctx, c.namesKey(run), removePage).Result()
		if err != nil || len(names) == 0 {
			return failedRun(run, "Redis", err)
		}

		done, err := c.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, name := range names {
				keys, args := c.replaceArgs(ctx, Key{Run: run, Name: name}, nil)
				replaceScript.Eval(ctx, pipe, keys, args...)
			}
			return nil
		})

		for _, cmd := range done {
			if n, failure := cmd.(*redis.Cmd).Int(); err == nil && failure == nil && n < 0 {
				err = guard.ErrRefused
			}
		}
		if err != nil {
			return failedRun(run, "Redis", err)
		}
	}
}

func (c *RedisCache) headKey(key Key) string { return c.runKeys(key.Run) + "val:" + key.Name }

func (c *RedisCache) namesKey(run string) string { return c.runKeys(run) + "val-names" }

func (c *RedisCache) chunkKeys(run string) string { return c.runKeys(run) + "val-chunk:" }

// tagEscaper removes braces, with which the ID of a run could end its hash tag early. "%" alone
// stands for the empty ID: Redis ignores an empty tag.
var tagEscaper = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")

// runKeys returns the prefix of all keys of a run.
func (c *RedisCache) runKeys(run string) string {
	tag := tagEscaper.Replace(run)
	if tag == "" {
		tag = "%"
	}
	return c.options.prefix + "{" + tag + "}:"
}
