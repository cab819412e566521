package redisx

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestOpen_UsesMemoryWithoutAServer(t *testing.T) {
	c := openMemory(t)
	if c.Kind != InProcess || c.URL != "" {
		t.Errorf("opened %v at %q", c.Kind, c.URL)
	}
	want := "no redis-server on PATH: using an in-process Redis; runs will not survive this process"
	if c.Note != want {
		t.Errorf("note %q, want %q", c.Note, want)
	}
	further := c.NewClient()
	defer further.Close()
	if err := further.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Client().Get(t.Context(), "k").Result(); v != "v" || err != nil {
		t.Errorf("read %q, %v", v, err)
	}
}

// Each side of the pipe between them would wait for the other to read.
func TestMemory_TakesManyCommandsAtOnce(t *testing.T) {
	c := openMemory(t)
	pipe := c.Client().Pipeline()
	for range 1000 {
		pipe.Set(t.Context(), "k", strings.Repeat("v", 1000), 0)
		pipe.Get(t.Context(), "k")
	}
	if answers, err := pipe.Exec(t.Context()); err != nil || len(answers) != 2000 {
		t.Errorf("%d answers, %v", len(answers), err)
	}
}

func TestOpen_UsesNoServerThatIsTooOld(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	script := func(name, version string) {
		t.Helper()
		text := "#!/bin/sh\necho '" + version + "'\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script("redis-server", "Redis server v=5.0.7 sha=00000000:0")
	binary, lack := findServer(t.Context())
	if binary != "" || lack != "redis-server 5.0.7 on PATH is older than 6.2" {
		t.Errorf("found %q, %q", binary, lack)
	}
	script("valkey-server", "Valkey server v=8.0.1 sha=00000000:0")
	binary, lack = findServer(t.Context())
	if binary != filepath.Join(bin, "valkey-server") || lack != "" {
		t.Errorf("found %q, %q", binary, lack)
	}
}

// Keys in the in-process Redis expire by themselves, as in any Redis.
func TestMemory_ExpiresKeys(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := openMemory(t).Client()
	if err := c.Set(ctx, "short", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.Set(ctx, "long", "v", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.PExpire(ctx, "short", 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	for n := int64(1); n == 1; {
		var err error
		if n, err = c.Exists(ctx, "short").Result(); err != nil {
			t.Fatal(err)
		}
	}
	if ttl := c.PTTL(ctx, "long").Val(); ttl <= 0 || ttl >= time.Hour {
		t.Errorf("an hour's TTL is now %v", ttl)
	}
}

func TestMemory_ShowsScriptsTheTime(t *testing.T) {
	c := openMemory(t).Client()
	before := time.Now().Unix()
	got, err := redis.NewScript(`return redis.call("TIME")[1]`).Run(t.Context(), c, nil).Int64()
	if after := time.Now().Unix(); err != nil || got < before || got > after {
		t.Errorf("TIME is %d, %v; want %d to %d", got, err, before, after)
	}
}

func TestMemory_CanBeShared(t *testing.T) {
	c := openMemory(t)
	url, err := c.Share(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Share(t.Context()); again != url || err != nil {
		t.Errorf("shared again as %q, %v; first as %q", again, err, url)
	}
	folder := filepath.Dir(strings.TrimPrefix(url, "unix://"))
	if stat, err := os.Stat(folder); err != nil || stat.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder: %v, %v; want mode 0700", stat, err)
	}
	child, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Error(err)
	}
	if v, err := c.Client().Get(t.Context(), "k").Result(); v != "v" || err != nil {
		t.Errorf("read %q, %v", v, err)
	}
	if err := errors.Join(c.Close(), child.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's folder is still there: %v", err)
	}
	if _, err := c.Share(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("sharing after Close: %v", err)
	}
}

func TestMemory_StaysClosed(t *testing.T) {
	c := openMemory(t)
	late := c.NewClient()
	defer late.Close()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := late.Ping(t.Context()).Err(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("PING after Close: %v", err)
	}
}
