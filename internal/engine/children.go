package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/godags/godags/internal/journal"
)

// children are worker processes of our own. One that dies is replaced.
type children struct {
	session *Session
	url     string
	queues  []string
	run     journal.RunID // that they serve; empty: all
	log     *os.File
	dead    chan string // ids of workers that died
	stopped context.Context
	stopAll context.CancelFunc
	wait    sync.WaitGroup

	mu    sync.Mutex
	early int // children that died soon after their start, in a row
	err   error
}

const (
	drainTime  = 2 * time.Second // for a worker that has nothing left to do
	earlyDeath = 2 * time.Second // a child that dies sooner than this never worked
	maxEarly   = 3
)

// startChildren starts n worker processes with one slot each.
func (s *Session) startChildren(ctx context.Context, n int, queues []string, run journal.RunID) (*children, error) {
	url, err := s.Conn.Share(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Home, 0o700); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(s.Home, "workers.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of the workers: %w", err)
	}
	c := &children{session: s, url: url, queues: queues, run: run, log: log, dead: make(chan string, n)}
	c.stopped, c.stopAll = context.WithCancel(context.WithoutCancel(ctx))
	for i := range n {
		name := fmt.Sprintf("%s-%d", hostname(), i+1)
		c.wait.Go(func() { c.keep(name) })
	}
	return c, nil
}

// keep runs one worker process after the other until the children are stopped.
func (c *children) keep(name string) {
	for c.stopped.Err() == nil {
		id, begin := NewWorkerID(name), time.Now()
		err := c.runOne(id)
		if c.stopped.Err() != nil {
			return
		}
		c.session.Logger.Warn("worker process died, starting another", "worker", id, "error", err)
		select {
		case c.dead <- id:
		case <-c.stopped.Done():
		}
		if c.tooMany(time.Since(begin) < earlyDeath, err) {
			return
		}
	}
}

// tooMany counts deaths and gives up when workers die as soon as they start.
func (c *children) tooMany(early bool, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !early {
		c.early = 0
		return false
	}
	if c.early++; c.early < maxEarly {
		return false
	}
	c.err = fmt.Errorf("worker processes die as soon as they start (%w): see %s", err, c.log.Name())
	c.stopAll()
	return true
}

func (c *children) runOne(id string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own program: %w", err)
	}
	cmd := exec.Command(program, "worker", "--id", id, "--concurrency", "1", "--queue", strings.Join(c.queues, ","), "--run", string(c.run))
	cmd.Env = append(os.Environ(), "REDIS_URL="+c.url, "GODAGS_HOME="+c.session.Home) // not in argv: the URL may have a password
	cmd.Stdout, cmd.Stderr = c.log, c.log
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	stopTerm := context.AfterFunc(c.stopped, func() { terminate(cmd.Process) })
	defer stopTerm()
	return cmd.Wait()
}

// stop ends the workers: they finish what they hold, and those that take too long are killed.
func (c *children) stop() error {
	c.stopAll()
	c.wait.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.err, c.log.Close())
}

// terminate asks a worker to end, and kills it if it does not.
func terminate(p *os.Process) {
	askToEnd(p)
	time.AfterFunc(drainTime, func() { askToEnd(p) }) // the second request: at once
	time.AfterFunc(2*drainTime+abandonAfter, func() { _ = p.Kill() })
}
