//go:build soak

package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// soak is many random runs at once on a few workers, while random faults go on.
type soak struct {
	*world
	seed    uint64
	end     time.Time
	workers []*soaked
	redisUp sync.RWMutex // held for writing while Redis is unreachable
	files   sync.Mutex

	mu         sync.Mutex
	hits       []hit
	runs       int
	stages     int
	outcomes   map[string]int
	reruns     int
	recoveries []time.Duration
	violations int
}

// hit is a fault, and whom it concerns: a worker, a run's coordinator, or everybody.
type hit struct {
	kind      string
	from, to  time.Time
	whom, run string
}

const lanes = 8 // runs at once

// TestSoak goes on for GODAGS_SOAK (5 minutes unless told otherwise), with the seed
// GODAGS_TEST_SEED or a random one.
func TestSoak(t *testing.T) {
	s := &soak{world: newWorld(t, "--appendonly", "yes", "--appendfsync", "everysec"), seed: rand.Uint64(), outcomes: make(map[string]int)}
	lasts := 5 * time.Minute
	var err error
	if text := os.Getenv("GODAGS_SOAK"); text != "" {
		lasts, err = time.ParseDuration(text)
		s.must(err)
	}
	if text := os.Getenv("GODAGS_TEST_SEED"); text != "" {
		s.seed, err = strconv.ParseUint(text, 10, 64)
		s.must(err)
	}
	t.Logf("seed %d, %s", s.seed, lasts)
	s.end = time.Now().Add(lasts)
	for i := range 4 {
		s.workers = append(s.workers, &soaked{soak: s, name: fmt.Sprintf("w%d", i), proxy: newProxy(t, s.redis.URL())})
	}
	s.start(s.redis.URL(), "coordinator", "serve") // which adopts runs whose coordinator is gone
	var all sync.WaitGroup
	stop := make(chan struct{})
	for _, one := range s.workers {
		all.Go(func() { one.keep(stop) })
	}
	all.Go(func() { s.storm(rand.New(rand.NewPCG(s.seed, 0))) })
	var runs sync.WaitGroup
	for lane := range lanes {
		runs.Go(func() { s.lane(lane) })
	}
	runs.Wait()
	left := s.settle()
	close(stop)
	all.Wait()
	for _, what := range left {
		s.violation("", "I6: orphaned: %s", what)
	}
	s.report()
}

// settle waits until Asynq has taken back the tasks of workers that were killed.
func (s *soak) settle() (left []string) {
	poll(3*time.Minute, func() bool {
		left = nil
		for _, state := range []string{"active", "pending"} {
			ids, err := s.rdb.LRange(s.t.Context(), s.queue()+state, 0, -1).Result()
			if err != nil {
				left = append(left, err.Error())
			}
			for _, id := range ids {
				left = append(left, state+" task "+id)
			}
		}
		return len(left) == 0
	})
	return left
}

func (s *soak) violation(run, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations++
	s.t.Errorf("seed %d: %s: %s", s.seed, run, fmt.Sprintf(format, args...))
}

// hit notes a fault, which goes on for a time.
func (s *soak) hit(kind, whom, run string, lasts time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.hits = append(s.hits, hit{kind, now, now.Add(lasts), whom, run})
}

// lane runs one random pipeline after the other.
func (s *soak) lane(lane int) {
	for n := 0; time.Now().Before(s.end); n++ {
		random := rand.New(rand.NewPCG(s.seed, uint64(1+lane)<<32+uint64(n)))
		id := fmt.Sprintf("%s-%d-%d", s.id, lane, n)
		stages := randomStages(random)
		begin := time.Now()
		if err := s.drive(id, stages, random); err != nil {
			s.violation(id, "I3: %v", err)
			continue
		}
		s.judge(id, stages, begin)
	}
}

// spawn starts a program whose end its caller looks after.
func (s *soak) spawn(url, name string, args ...string) (*process, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "REDIS_URL="+url, "GODAGS_HOME="+s.path("home"))
	p := &process{cmd, s.world, s.path(name), make(chan struct{})}
	out, err := os.Create(p.name + ".err")
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		cmd.Wait() // how it ended is of no interest: the journal tells
	}()
	return p, nil
}

// drive brings a run to its end. Its coordinator may be killed or stopped meanwhile, a second one
// may follow it, and it may be cancelled.
func (s *soak) drive(id string, stages []stage, random *rand.Rand) error {
	s.files.Lock()
	s.write(id+".json", stages)
	s.files.Unlock()
	submit := runCommand(id, "--grace", "2s")
	p, err := s.spawn(s.redis.URL(), id+".0", submit...)
	if err != nil {
		return err
	}
	defer func() { p.kill() }()
	end := time.Now().Add(2 * time.Minute)
	for i := 1; time.Now().Before(end); i++ {
		if s.over(id) {
			os.Remove(s.path(id + ".json"))
			return nil
		}
		pause := time.Duration(random.IntN(1500)) * time.Millisecond
		if p.ended() && random.IntN(3) > 0 {
			time.Sleep(pause) // another coordinator may take it over
			continue
		}
		select {
		case <-p.done:
		case <-time.After(pause):
		}
		switch what := random.IntN(20); {
		case p.ended() || what == 0 && i < 4:
			if !p.ended() {
				s.hit("coordinator killed", "", id, 0)
				p.kill()
			}
			again := submit // which follows the run if it exists, and resumes it
			if random.IntN(2) == 0 && s.rdb.Exists(s.t.Context(), "godags:{"+id+"}:run").Val() == 1 {
				again = []string{"coordinator", "resume", id, "--progress", "json", "--grace", "2s"}
			}
			next, err := s.spawn(s.redis.URL(), fmt.Sprintf("%s.%d", id, i), again...)
			if err != nil {
				return err
			}
			p = next
		case what == 1 && i < 4:
			lasts := time.Duration(random.IntN(5000)) * time.Millisecond
			s.hit("coordinator stopped", "", id, lasts)
			p.signal(sigstop)
			time.Sleep(lasts)
			p.signal(sigcont)
		case what == 2 && random.IntN(4) == 0:
			s.hit("run cancelled", "", id, 0)
			s.command("cancel", id) // it may be over, or Redis away
		}
	}
	return fmt.Errorf("the run has not ended within two minutes: %s", tail(p.stderr()))
}

// over reports whether the end of a run is recorded.
func (s *soak) over(id string) bool {
	state, err := s.rdb.HGet(s.t.Context(), "godags:{"+id+"}:run", "state").Result()
	return err == nil && state == "finished"
}

// judge applies the rules to a run that has ended. As many faults count as went on during it, and
// shortly before.
func (s *soak) judge(id string, stages []stage, begin time.Time) {
	s.redisUp.RLock()
	defer s.redisUp.RUnlock()
	var mine []hit
	s.mu.Lock()
	for _, h := range s.hits {
		if h.to.After(begin.Add(-10*time.Second)) && (h.run == "" || h.run == id) {
			mine = append(mine, h)
		}
	}
	s.mu.Unlock()
	trial, errs := judge(s.world, id, stages, len(mine), 0)
	for _, err := range errs {
		s.violation(id, "%v", err)
	}
	if len(errs) > 0 {
		text, _ := s.command("events", id)
		s.t.Logf("%s\n%s", id, text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs++
	s.stages += len(stages)
	s.outcomes[trial.State]++
	s.reruns += lost(trial.Events)
	s.recoveries = append(s.recoveries, recoveries(trial.Events, mine)...)
}

// report prints what was counted.
func (s *soak) report() {
	kinds := make(map[string]int)
	for _, h := range s.hits {
		kinds[h.kind]++
	}
	slices.Sort(s.recoveries)
	at := func(part float64) time.Duration {
		if len(s.recoveries) == 0 {
			return 0
		}
		return s.recoveries[int(part*float64(len(s.recoveries)-1))].Round(time.Millisecond)
	}
	text := strings.Trim(fmt.Sprint(kinds), "map[]")
	s.t.Attr("soak", fmt.Sprintf("%d runs of %d stages (%s), %d faults (%s), %d attempts lost, from a fault to the next claim p50 %s, p99 %s, max %s (%d measured), %d violations, seed %d",
		s.runs, s.stages, strings.Trim(fmt.Sprint(s.outcomes), "map[]"), len(s.hits), text, s.reruns, at(0.5), at(0.99), at(1), len(s.recoveries), s.violations, s.seed))
}
