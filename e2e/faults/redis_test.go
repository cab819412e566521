package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// 10: Redis is killed and is back after 5 s.
func TestAKilledRedis(t *testing.T) {
	t.Parallel()
	redisIsAway(t, 5*time.Second)
}

// redisIsAway kills Redis in the middle of a run for a time. No stage is lost, none is recorded
// twice.
func redisIsAway(t *testing.T, away time.Duration) {
	w := newWorld(t, "--appendonly", "yes", "--appendfsync", "everysec")
	workers := w.crew(2)
	// more than is recorded with a success
	stages := append(busy(12, 3), stage{Name: "long", Run: "sleep 1; head -c 100000 /dev/zero >$GODAGS_OUTPUT"})
	run := w.run(open(stages))
	run.progressed(8)
	w.redis.Kill()
	time.Sleep(away)
	w.redis.Restart()
	back := time.Now()
	w.goOn()
	run.exits(0)
	trial := run.check(1, 0)
	for _, p := range append(workers, run.process) {
		p.says("Redis answers again")
		// most of all two; a stage that was replaced is another
		if c := p.complaints(); len(c) > 6 {
			t.Errorf("%s complains %d times:\n%s", p, len(c), strings.Join(c, ""))
		}
	}
	for _, e := range trial.Events {
		if e.Time.After(back) {
			w.within(fmt.Sprintf("Redis was back after %s", away), e.Time.Sub(back), 6*time.Second)
			break
		}
	}
}

// complaints returns the lines of a program's log that warn of something. That a task had got lost
// is said of each, and there may be several.
func (p *process) complaints() (lines []string) {
	for line := range strings.Lines(p.stderr()) {
		if (strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR")) && !strings.Contains(line, "sent again") {
			lines = append(lines, line)
		}
	}
	return lines
}

// 12: Redis is killed and loses the end of its AOF, somewhere within an entry. What it has is a
// prefix of what happened, and remains one as long as the AOF is written anew after each loss, as
// docs/reliability.md says.
func TestTheEndOfTheAOFIsLost(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	w := newWorld(t, "--dir", folder, "--appendonly", "yes", "--appendfsync", "everysec")
	w.crew(2)
	run := w.run(open(busy(12, 3)))
	for n := range 3 {
		run.progressed(8 * (n + 1))
		w.redis.Kill()
		w.cutAOF(folder, rand.Int64N(6000))
		w.redis.Restart()
		w.rewriteAOF(folder)
	}
	w.goOn()
	run.succeeds(3, 0)
}

// rewriteAOF has Redis write its AOF anew: without that its next start would bring back a
// transaction that was cut off at this one.
func (w *world) rewriteAOF(folder string) {
	w.t.Helper()
	w.must(w.rdb.BgRewriteAOF(w.t.Context()).Err())
	w.await("an AOF that is written anew", func() bool {
		info, err := w.rdb.Info(w.t.Context(), "persistence").Result()
		return err == nil && len(w.aofs(folder)) == 1 && strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0")
	})
}

// aofs names the files with what was written since the last rewrite: one, and for a moment the one
// before it.
func (w *world) aofs(folder string) []string {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "appendonlydir", "*.incr.aof"))
	w.must(err)
	return files
}

// cutAOF takes bytes off the end of the append-only file.
func (w *world) cutAOF(folder string, bytes int64) {
	w.t.Helper()
	files := w.aofs(folder)
	if len(files) != 1 {
		w.t.Fatalf("files %v, want one", files)
	}
	info, err := os.Stat(files[0])
	w.must(err)
	w.t.Logf("%d of %d bytes are cut off", bytes, info.Size())
	w.must(os.Truncate(files[0], max(0, info.Size()-bytes)))
}

// 16: Redis is full, and has room again later. Workers and coordinator say so, ask no more often
// than ten times a second, and go on.
func TestAFullRedis(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newProxy(t, w.redis.URL())
	one := w.workerAt(p.url())
	run := w.run(open(busy(12, 3)))
	run.progressed(8)
	w.must(w.rdb.ConfigSet(t.Context(), "maxmemory", "1").Err())
	one.says("OOM")
	p.look(":paused", false) // which is in every dequeue, and in nothing else
	begin := time.Now()
	run.says("OOM")
	time.Sleep(5 * time.Second)
	if rate := float64(p.seen()) / time.Since(begin).Seconds(); rate > 10 {
		t.Errorf("%.0f dequeues a second", rate)
	}
	w.must(w.rdb.ConfigSet(t.Context(), "maxmemory", "0").Err())
	w.goOn()
	run.succeeds(1, 0)
}

// Redis is made a replica of nothing, as after a fail-over, and so takes no writes, for a while.
func TestAReadOnlyRedis(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.worker()
	run := w.run(open(busy(12, 3)))
	run.progressed(8)
	w.must(w.rdb.ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
	one.says("READONLY")
	w.must(w.rdb.ReplicaOf(t.Context(), "no", "one").Err())
	w.goOn()
	run.succeeds(1, 0)
}

// 17: scripts are forgotten and connections closed all the time. Users see nothing of it.
func TestScriptsAreForgottenAndConnectionsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crew(2)
	run := w.run(open(busy(12, 3)))
	run.started("s0_0", 1) // a command that cannot submit its run says so, and ends
	ctx, stop := context.WithCancel(t.Context())
	faults := 0
	var meddler sync.WaitGroup
	meddler.Go(func() {
		for ctx.Err() == nil {
			for _, command := range [][]any{{"SCRIPT", "FLUSH"}, {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}, {"CLIENT", "KILL", "TYPE", "pubsub"}} {
				w.rdb.Do(ctx, command...) // they always work, but for the end of ctx
				faults++
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	run.progressed(36)
	stop()
	meddler.Wait()
	t.Attr("meddling", fmt.Sprintf("%d commands during a run", faults))
	w.goOn()
	run.succeeds(0, quickly)
}

// 18: all data is gone in the middle of a run. The coordinator says so and ends with code 3;
// workers continue other runs.
func TestAllDataIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.worker()
	stages := busy(40, 3)
	run := w.run(open(stages))
	run.progressed(8)
	w.must(w.rdb.FlushAll(t.Context()).Err())
	at := time.Now()
	run.exits(3)
	w.within("all data was lost", time.Since(at), 5*time.Second)
	if !strings.Contains(run.stderr(), "state lost") {
		t.Error("no message says that the state is lost")
	}
	w.runAs(w.id+"-2", w.redis.URL(), stages[:9]).succeeds(0, quickly)
}
