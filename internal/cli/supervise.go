package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
)

// supervisor keeps worker processes: one that dies is replaced. Process managers such as goreman,
// hivemind and Compose without a restart policy do not do that.
type supervisor struct {
	program  string
	args     []string // of each worker, but for its name
	name     string
	redis    string
	log      *slog.Logger
	out, err *os.File

	ending   context.Context
	end      context.CancelCauseFunc
	mu       sync.Mutex
	children []*os.Process
}

// A worker that dies sooner than this is replaced after restartPause: it would probably die again.
const (
	soon         = 2 * time.Second
	restartPause = time.Second
)

// supervise runs n worker processes with the flags of this command, and returns when they have
// ended.
func (p Program) supervise(c *ucli.Context, n int, logger *slog.Logger) error {
	for _, name := range []string{"metrics-addr", "id"} {
		if c.String(name) != "" {
			return usageError("--%s is for one worker, and --processes starts several", name)
		}
	}

	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own program: %w", err)
	}

	s := &supervisor{program: program, args: workerArgs(c), redis: c.String("redis"), name: c.String("name"), log: logger, out: os.Stdout, err: os.Stderr}
	s.ending, s.end = context.WithCancelCause(c.Context)

	signals := make(chan os.Signal, 2)
	notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	go func() {
		for range signals {
			s.askToEnd()
		}
	}()

	defer close(signals) // after Stop: nothing is sent any more

	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { s.keep(i + 1) })
	}

	all.Wait()
	if err := context.Cause(s.ending); err != context.Canceled {
		return err
	}

	return nil
}

// workerArgs are the arguments of a worker with the flags of this command. The URL of Redis may
// have a password in it, and others can read arguments: it goes by the environment.
func workerArgs(c *ucli.Context) (args []string) {
	if len(c.App.Commands) > 0 { // this is the command of a program with others
		args = append(args, "worker")
	}

	for _, queue := range c.StringSlice("queue") {
		args = append(args, "--queue", queue)
	}

	if user := c.String("user"); user != "" {
		args = append(args, "--user", user)
	}
	return append(args, "--concurrency", fmt.Sprint(c.Int("concurrency")))
}

// keep runs one worker after the other until the supervisor ends.
func (s *supervisor) keep(number int) {
	name := fmt.Sprintf("%s-%d", engine.WorkerName(s.name), number)
	for s.ending.Err() == nil {
		begin := time.Now()
		err := s.runOne(name)
		if s.ending.Err() != nil {
			return
		}

		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == exitUsage {
			s.end(&exitError{exitUsage, nil}) // it has said why, and the next would say the same
			s.askToEnd()
			return
		}

		s.log.Warn("worker died, starting another", "worker", name, "error", err)
		if time.Since(begin) > soon {
			continue
		}

		select {
		case <-time.After(restartPause):
		case <-s.ending.Done():
		}
	}
}

func (s *supervisor) runOne(name string) error {
	cmd := exec.Command(s.program, append(slices.Clone(s.args), "--name", name)...)
	cmd.Stdout = s.out
	cmd.Stderr = s.err
	cmd.Env = append(os.Environ(), "REDIS_URL="+s.redis)
	cmd.SysProcAttr = engine.ChildAttr()

	s.mu.Lock()
	if s.ending.Err() != nil {
		s.mu.Unlock()
		return nil
	}

	err := cmd.Start()
	if err == nil {
		s.children = append(s.children, cmd.Process)
	}

	s.mu.Unlock()
	if err != nil {
		return err
	}

	err = cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()

	s.children = slices.DeleteFunc(s.children, func(p *os.Process) bool { return p == cmd.Process })
	if err == nil {
		err = errors.New("it ended although nobody had asked it to")
	}
	return err
}

// askToEnd passes a signal on: the first lets the workers finish what they hold, the second stops
// them.
func (s *supervisor) askToEnd() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(nil)
	for _, child := range s.children {
		engine.AskToEnd(child)
	}
}
