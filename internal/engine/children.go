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
	"github.com/godags/godags/internal/sign"
)

// children are worker processes of our own. One that dies is replaced.
type children struct {
	session *Session
	url     string
	key     sign.Key
	queues  []string
	run     journal.RunID // that they serve; empty: all
	log     *os.File
	dead    chan string // ids of workers that died
	stopped context.Context
	stopAll context.CancelCauseFunc // with the reason if it is that workers cannot be kept
	wait    sync.WaitGroup
}

const (
	drainTime = 2 * time.Second // for a worker that has nothing left to do
	// a worker that dies sooner than this is not replaced at once if its predecessor did too
	earlyDeath = 2 * time.Second
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
	maxUseless = 3 // workers in a row that die before they can take a stage
)

// startChildren starts n worker processes with one slot each.
func (s *Session) startChildren(ctx context.Context, n int, queues []string, run journal.RunID) (*children, error) {
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

	c := &children{session: s, url: url, key: key, queues: queues, run: run, log: log, dead: make(chan string, n)}
	c.stopped, c.stopAll = context.WithCancelCause(context.WithoutCancel(ctx))
	for i := range n {
		name := fmt.Sprintf("%s-%d", hostname(), i+1)
		c.wait.Go(func() { c.keep(name) })
	}

	return c, nil
}

// keep runs one worker process after the other until the children are stopped.
func (c *children) keep(name string) {
	useless := 0
	pause := time.Duration(0)
	for c.stopped.Err() == nil {
		id := NewWorkerID(name)
		begin := time.Now()
		err := c.runOne(id)
		if c.stopped.Err() != nil {
			return
		}

		c.session.Logger.Warn("worker process died, starting another", "worker", id, "error", err)
		select {
		case c.dead <- id:
		case <-c.stopped.Done():
		}

		useless++
		if c.wasUseful(id) {
			useless = 0
		}

		if useless == maxUseless {
			c.stopAll(fmt.Errorf("worker processes die as soon as they start (%w): see %s", err, c.log.Name()))
		}

		if time.Since(begin) > earlyDeath {
			pause = 0
			continue
		}

		select {
		case <-time.After(pause):
		case <-c.stopped.Done():
		}

		pause = min(lastPause, max(firstPause, 2*pause))
	}
}

// wasUseful reports whether a worker has come as far as to be known in Redis: then its death is the
// fault of a stage rather than ours.
func (c *children) wasUseful(id string) bool {
	list, err := c.session.Fleet.Workers(c.stopped)
	return err != nil || slices.ContainsFunc(list, func(w fleet.Worker) bool { return w.ID == id })
}

func (c *children) runOne(id string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own program: %w", err)
	}

	cmd := exec.Command(program, "worker", "--id", id, "--concurrency", "1", "--queue", strings.Join(c.queues, ","), "--run", string(c.run))

	// others can read argv
	cmd.Env = append(os.Environ(), "REDIS_URL="+c.url, sign.Variable+"="+c.key.Text(), "GODAGS_HOME="+c.session.Home)
	cmd.Stdout = c.log
	cmd.Stderr = c.log
	cmd.SysProcAttr = ChildAttr()
	if presence := c.session.Conn.Presence; presence != nil {
		// a worker that has lost us finishes what it holds, and needs its Redis for that
		cmd.ExtraFiles = []*os.File{presence}
	}

	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}

	stopTerm := context.AfterFunc(c.stopped, func() { terminate(cmd.Process) })
	defer stopTerm()
	return cmd.Wait()
}

// stop ends the workers: they finish what they hold, and those that take too long are killed. The
// error is why they could not be kept.
func (c *children) stop() error {
	c.stopAll(nil)
	c.wait.Wait()
	return errors.Join(c.gaveUp(), c.log.Close())
}

// gaveUp returns why workers could not be kept, if so.
func (c *children) gaveUp() error {
	if err := context.Cause(c.stopped); err != context.Canceled {
		return err
	}
	return nil
}

// terminate asks a worker to end, and kills it if it does not.
func terminate(p *os.Process) {
	AskToEnd(p)
	time.AfterFunc(drainTime, func() { AskToEnd(p) }) // the second request: at once
	time.AfterFunc(2*drainTime+abandonAfter, func() { _ = p.Kill() })
}
