package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/owned"
	"github.com/godags/godags/internal/retry"
	"github.com/godags/godags/internal/sign"
)

// processes are worker processes that this process started. One that dies is replaced.
type processes struct {
	session *Session
	url     string
	key     sign.Key
	queues  []string
	run     journal.RunID // that they serve; empty: all
	log     *os.File
	dead    chan string // ids of workers that died
	stopped context.Context
	stopAll context.CancelCauseFunc // with an error if workers cannot be kept alive
	wait    sync.WaitGroup
}

const (
	drainTime = 2 * time.Second // for a worker that has nothing left to do
	// A worker that dies sooner than this is not replaced at once if its predecessor did too.
	earlyDeath = 2 * time.Second
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
	maxUseless = 3 // workers in a row that die before they can take a stage
)

// startProcesses starts n worker processes that execute one stage at a time.
func startProcesses(ctx context.Context, s *Session, n int, queues []string, run journal.RunID) (*processes, error) {
	url, err := s.Conn.Share(ctx)
	if err != nil {
		return nil, err
	}

	key, err := s.Key()
	if err != nil {
		return nil, err
	}
	if _, _, err := owned.MakeFolder(s.Home); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}

	log, err := os.OpenFile(filepath.Join(s.Home, "workers.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of the workers: %w", err)
	}

	p := &processes{session: s, url: url, key: key, queues: queues, run: run, log: log, dead: make(chan string, n)}
	p.stopped, p.stopAll = context.WithCancelCause(context.WithoutCancel(ctx))
	for i := range n {
		name := fmt.Sprintf("%s-%d", hostname(), i+1)
		p.wait.Go(func() { p.keep(name) })
	}

	return p, nil
}

// keep runs one worker process after the other until the processes are stopped.
func (p *processes) keep(name string) {
	useless := 0
	pause := time.Duration(0)
	for p.stopped.Err() == nil {
		id := NewWorkerID(name)
		begin := time.Now()
		err := p.runOne(id)
		if p.stopped.Err() != nil {
			return
		}

		p.session.Logger.Warn("worker process died, starting another", "worker", id, "error", err)
		// The coordinator replaces the attempts of the worker without waiting for its heartbeat.
		select {
		case p.dead <- id:
		case <-p.stopped.Done():
		}

		useless++
		if p.wasUseful(id) {
			useless = 0
		}

		// A program that cannot start, for lack of memory or after an upgrade, would be restarted
		// for ever.
		if useless == maxUseless {
			p.stopAll(fmt.Errorf("worker processes die as soon as they start (%w): see %s", err, p.log.Name()))
		}

		if time.Since(begin) > earlyDeath {
			pause = 0
			continue
		}

		retry.Sleep(p.stopped, pause)
		pause = min(lastPause, max(firstPause, 2*pause))
	}
}

// wasUseful reports whether a worker got as far as its first heartbeat. Then its death is the fault
// of a stage rather than of the program.
func (p *processes) wasUseful(id string) bool {
	list, err := p.session.Fleet.Workers(p.stopped)
	return err != nil || slices.ContainsFunc(list, func(w fleet.Worker) bool { return w.ID == id })
}

func (p *processes) runOne(id string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own program: %w", err)
	}

	cmd := exec.Command(program, "worker", "--id", id, "--concurrency", "1",
		"--queue", strings.Join(p.queues, ","), "--run", string(p.run))

	// Every user can read the arguments of a process, so the key and the URL travel in its
	// environment.
	cmd.Env = append(os.Environ(), "REDIS_URL="+p.url, sign.Variable+"="+p.key.Text(), "GODAGS_HOME="+p.session.Home)
	cmd.Stdout = p.log
	cmd.Stderr = p.log
	cmd.SysProcAttr = ChildAttr()
	if presence := p.session.Conn.Presence; presence != nil {
		// A worker that outlives this process finishes what it claimed, and needs its Redis for
		// that.
		cmd.ExtraFiles = []*os.File{presence}
	}

	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}

	stopTerm := context.AfterFunc(p.stopped, func() { terminate(cmd.Process) })
	defer stopTerm()
	return cmd.Wait()
}

// stop stops the workers. They finish what they claimed, and those that take too long are killed.
// The error says why they could not be kept alive.
func (p *processes) stop() error {
	p.stopAll(nil)
	p.wait.Wait()
	return errors.Join(p.gaveUp(), p.log.Close())
}

// gaveUp returns why workers could not be kept alive, or nil.
func (p *processes) gaveUp() error {
	if err := context.Cause(p.stopped); err != context.Canceled {
		return err
	}
	return nil
}

// terminate asks a worker to stop, and kills it if it does not.
func terminate(p *os.Process) {
	AskToEnd(p)
	// The second request means at once. The kill comes after the worker had the time to abandon a
	// handler that ignores its context.
	time.AfterFunc(drainTime, func() { AskToEnd(p) })
	time.AfterFunc(2*drainTime+abandonAfter, func() { _ = p.Kill() })
}
