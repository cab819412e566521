package faults

import (
	"os"
	"testing"
	"time"
)

// large is a pipeline in which values pass that are stored in Redis one by one, and that is at work
// while something is refused.
func large() []stage {
	return []stage{
		{Name: "make", Run: "touch started; until [ -e refused ]; do sleep 0.05; done; head -c 300000 /dev/urandom >$GODAGS_OUTPUT"},
		{Name: "use", Run: "test $(wc -c <$GODAGS_INPUTS/make) = 300000", After: []string{"make"}},
	}
}

// Redis refuses for a while what it must do for a stage whose work is done: no stage fails of that.
func TestRefusal_FailsNoStage(t *testing.T) {
	for name, refusal := range map[string]struct{ begin, end []any }{
		"NOREPLICAS": {[]any{"CONFIG", "SET", "min-replicas-to-write", "1"}, []any{"CONFIG", "SET", "min-replicas-to-write", "0"}},
		"OOM":        {[]any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"}},
		"READONLY":   {[]any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			one := w.worker()
			run := w.run(large())
			w.await("the stage", func() bool { return read(w.path("started")) == "" })
			w.must(w.rdb.Do(t.Context(), refusal.begin...).Err())
			w.must(os.WriteFile(w.path("refused"), nil, 0o600))
			one.says(name)
			w.must(w.rdb.Do(t.Context(), refusal.end...).Err())
			run.succeeds(1, 0)
		})
	}
}

// What accepts connections in front of Redis resets them while Redis is unreachable, instead of
// refusing them.
func TestResets_FailNoStage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newProxy(t, w.redis.URL())
	w.workerAt(p.url())
	run := w.run(large())
	w.await("the stage", func() bool { return read(w.path("started")) == "" })
	p.slow(func() time.Duration { return 0 }, 1)
	w.must(os.WriteFile(w.path("refused"), nil, 0o600))
	time.Sleep(time.Second) // Redis is unreachable for so long
	p.slow(nil, 0)
	run.succeeds(1, 0)
}

// An output takes longer on a slow link than a command and its reply may take without progress.
func TestSlowLink_TakesLargeValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newProxy(t, w.redis.URL())
	w.workerAt(p.url() + "?read_timeout=1s")
	run := w.run([]stage{{Name: "make", Run: "head -c 1000000 /dev/urandom >$GODAGS_OUTPUT"},
		{Name: "use", Run: "test $(wc -c <$GODAGS_INPUTS/make) = 1000000", After: []string{"make"}}})
	p.limit(400 << 10)
	run.succeeds(1, 0)
}
