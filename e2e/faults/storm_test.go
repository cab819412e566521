//go:build soak

package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godags/godags/internal/faulttest"
)

// soaked is a worker that is replaced whenever it ends.
type soaked struct {
	soak  *soak
	name  string
	proxy *proxy

	mu      sync.Mutex
	process *process
}

// keep starts one worker after the other until stop is closed.
func (w *soaked) keep(stop <-chan struct{}) {
	for n := 0; ; n++ {
		p, err := w.soak.spawn(w.proxy.url(), fmt.Sprintf("%s.%d", w.name, n), "worker", "--concurrency", "2", "--name", w.name)
		if err != nil {
			w.soak.violation(w.name, "%v", err)
			return
		}
		w.mu.Lock()
		w.process = p
		w.mu.Unlock()
		select {
		case <-p.done:
		case <-stop:
			p.signal(sigcont)
			p.signal(sigterm)
			select {
			case <-p.done:
			case <-time.After(20 * time.Second):
				w.soak.violation(w.name, "it does not end")
				p.kill()
			}
			return
		}
	}
}

func (w *soaked) current() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.process
}

// storm does something to workers, their network, Redis or the queue until the time is over.
func (s *soak) storm(random *rand.Rand) {
	var lasting sync.WaitGroup
	defer lasting.Wait()
	for time.Now().Before(s.end) {
		time.Sleep(time.Duration(50+random.IntN(900)) * time.Millisecond)
		w := s.workers[random.IntN(len(s.workers))]
		lasts := time.Duration(random.IntN(6000)) * time.Millisecond
		if p := w.current(); p != nil && p.id() != "" {
			s.one(random.IntN(100), w, p, lasts, &lasting)
		}
	}
}

// one is one fault of a worker or of everybody.
func (s *soak) one(what int, w *soaked, p *process, lasts time.Duration, lasting *sync.WaitGroup) {
	ctx := s.t.Context()
	during := func(kind, whom string, begin, end func()) {
		s.hit(kind, whom, "", lasts)
		begin()
		lasting.Go(func() {
			time.Sleep(lasts)
			end()
		})
	}
	switch {
	case what < 25:
		s.hit("worker killed", p.id(), "", 0)
		p.kill()
	case what < 35:
		p.signal(sigterm)
		lasting.Go(func() {
			time.Sleep(lasts)
			s.hit("worker told to end", p.id(), "", 0)
			p.signal(sigterm)
		})
	case what < 50:
		during("worker stopped", p.id(), func() { p.signal(sigstop) }, func() { p.signal(sigcont) })
	case what < 62:
		during("worker cut off", p.id(), func() { w.proxy.cut(up, down) }, w.proxy.heal)
	case what < 67:
		during("replies to a worker held back", p.id(), func() { w.proxy.cut(down) }, w.proxy.heal)
	case what < 77:
		s.hit("connections of a worker reset", p.id(), "", 0)
		w.proxy.reset()
	case what < 83:
		during("slow and unreliable network", p.id(), func() {
			w.proxy.slow(func() time.Duration { return rand.N(100 * time.Millisecond) }, 0.05)
		}, func() { w.proxy.slow(nil, 0) })
	case what < 88:
		s.hit("scripts forgotten", "", "", 0)
		s.rdb.ScriptFlush(ctx)
	case what < 92:
		s.hit("all connections closed", "", "", 0)
		s.rdb.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	case what < 97:
		s.meddle()
	default:
		s.restartRedis(lasts / 2)
	}
}

// meddle deletes a task that waits, if one does.
func (s *soak) meddle() {
	ctx := s.t.Context()
	id, err := s.rdb.RPop(ctx, s.queue()+"pending").Result()
	if err == nil {
		s.hit("task deleted", "", "", 0)
		s.rdb.Del(ctx, s.queue()+"t:"+id)
	}
}

// restartRedis kills Redis and starts it again after a time. The test itself asks nothing of it
// meanwhile.
func (s *soak) restartRedis(away time.Duration) {
	s.redisUp.Lock()
	defer s.redisUp.Unlock()
	s.hit("Redis killed", "", "", away)
	s.redis.Kill()
	time.Sleep(away)
	s.redis.Restart()
}

// recoveries returns how long after a fault the next claim came: that of the stage for an attempt
// that was lost with its worker, that of any stage for a coordinator that was killed. Where Redis
// or the coordinator was away meanwhile, the time counts from when it was back.
func recoveries(events []faulttest.Event, hits []hit) (list []time.Duration) {
	for i, e := range events {
		if e.Type != "stage.lost" || strings.HasPrefix(e.Reason, "not begun") {
			continue
		}
		claim := slices.IndexFunc(events[:i], func(c faulttest.Event) bool {
			return c.Type == "stage.started" && c.Stage == e.Stage && c.Attempt == e.Attempt
		})
		fault := slices.IndexFunc(hits, func(h hit) bool { return h.whom == events[claim].Worker && h.from.Before(e.Time) })
		if again, ok := claimAfter(events[i:], e.Stage); ok && fault >= 0 {
			list = append(list, again.Sub(backAt(hits, lastOf(hits, events[claim].Worker, e.Time), again)))
		}
	}
	for _, h := range hits {
		after := slices.DeleteFunc(slices.Clone(events), func(e faulttest.Event) bool { return e.Time.Before(h.from) })
		if again, ok := claimAfter(after, ""); ok && h.kind == "coordinator killed" {
			list = append(list, again.Sub(backAt(hits, h.from, again)))
		}
	}
	return list
}

// lastOf returns when the last fault of a worker before a time was.
func lastOf(hits []hit, worker string, before time.Time) (at time.Time) {
	for _, h := range hits {
		if h.whom == worker && h.from.Before(before) {
			at = h.from
		}
	}
	return at
}

// backAt returns when Redis and the coordinator were last back between a fault and a claim: the
// time of the fault if they were not away.
func backAt(hits []hit, fault, claim time.Time) time.Time {
	for _, h := range hits {
		if (h.kind == "Redis killed" || h.kind == "coordinator stopped" || h.kind == "coordinator killed") && h.to.After(fault) && h.to.Before(claim) {
			fault = h.to
		}
	}
	return fault
}

// claimAfter returns when a stage, or any, is claimed first in some events.
func claimAfter(events []faulttest.Event, stage string) (time.Time, bool) {
	for _, e := range events {
		if e.Type == "stage.started" && (stage == "" || e.Stage == stage) {
			return e.Time, true
		}
	}
	return time.Time{}, false
}

// randomStages is a pipeline of 5 to 40 stages, each after up to three others. Some fail, some of
// these succeed when they are tried again, some wait for the end of others only, and some are
// executed for each element of a list.
func randomStages(random *rand.Rand) []stage {
	stages := make([]stage, 5+random.IntN(36))
	triggers := []string{"all_done", "any_success", "any_failed"}
	for i := range stages {
		s := stage{Name: fmt.Sprintf("s%d", i)}
		for _, d := range random.Perm(i)[:min(i, random.IntN(4))] {
			s.After = append(s.After, stages[d].Name)
		}
		if len(s.After) > 0 && random.IntN(8) == 0 {
			s.Trigger = triggers[random.IntN(len(triggers))]
		}
		randomWork(&s, random)
		stages[i] = s
	}
	if random.IntN(3) == 0 {
		stages = append(stages, stage{Name: "list", Run: "echo '[1,2,3,4,5]' >$GODAGS_OUTPUT"},
			stage{Name: "each", ForEach: "list", Run: "sleep 0.0$GODAGS_ITEM; echo $GODAGS_ITEM >$GODAGS_OUTPUT"},
			stage{Name: "all", After: []string{"each"}, Run: "cat $GODAGS_INPUTS/each >/dev/null"})
	}
	return stages
}

// randomWork says what a stage does.
func randomWork(s *stage, random *rand.Rand) {
	ms := random.IntN(200)
	switch random.IntN(10) {
	case 0, 1, 2:
		s.Task = "noop"
	case 3, 4, 5, 6:
		s.Task, s.Params = "sleep", map[string]any{"duration": fmt.Sprintf("%dms", ms)}
	case 7:
		s.Task, s.Params = "sleep", map[string]any{"duration": fmt.Sprintf("%dms", 10*ms)}
	default:
		s.Run = fmt.Sprintf("cat $GODAGS_INPUTS/* /dev/null >/dev/null; sleep %.2f; echo $GODAGS_STAGE >$GODAGS_OUTPUT", float64(ms)/1000)
		switch random.IntN(10) {
		case 0:
			s.Run += "; exit 1"
		case 1, 2:
			s.Run, s.Retries, s.Backoff = s.Run+"; test $GODAGS_ATTEMPT -gt 1", 2, map[string]any{"initial": "200ms"}
		}
	}
}
