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

// supervisor starts worker processes and replaces each that dies. Process managers such as goreman,
// hivemind and Compose without a restart policy do not do that.
type supervisor struct {
	program  string
	args     []string // of each worker, except for its name
	name     string
	redis    string
	log      *slog.Logger
	out, err *os.File

	stopping context.Context // cancelled when no more workers are started
	stop     context.CancelCauseFunc
	mu       sync.Mutex
	children []*os.Process
}

// A worker that lived for less than earlyDeath would probably die again at once, and is replaced
// after restartPause only.
const (
	earlyDeath   = 2 * time.Second
	restartPause = time.Second
)

// supervise runs n worker processes with the flags of this command until signals stop them.
func (w workerCommand) supervise(n int) error {
	c := w.c
	// Several processes cannot listen on one address, nor share an ID.
	for _, name := range []string{"metrics-addr", "id"} {
		if c.String(name) != "" {
			return usageError("--%s is for one worker, but --processes starts several: omit one of them", name)
		}
	}

	// The name with which this process was started need not be a path.
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program of this process: %w", err)
	}

	s := &supervisor{
		program: program, args: workerArgs(c), redis: c.String("redis"), name: c.String("name"),
		log: w.logger, out: os.Stdout, err: os.Stderr,
	}
	s.stopping, s.stop = context.WithCancelCause(c.Context)

	signals := make(chan os.Signal, 2)
	notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		// The process itself survives both signals, and exits when its workers have.
		for range signals {
			s.signalAll()
		}
	}()

	// In this order: the runtime panics if it delivers a signal on a closed channel.
	defer func() {
		signal.Stop(signals)
		close(signals)
	}()

	var all sync.WaitGroup
	for number := range n {
		all.Go(func() { s.replaceDead(number + 1) })
	}

	all.Wait()
	// A worker that refused its flags has left its exit code there.
	if err := context.Cause(s.stopping); err != context.Canceled {
		return err
	}

	return nil
}

// workerArgs returns the arguments of a worker with the flags of this command. The URL of Redis is
// not among them: it may have a password in it, and other users can read arguments. It is passed in
// the environment.
func workerArgs(c *ucli.Context) (args []string) {
	// A program that is only a worker has no commands.
	if len(c.App.Commands) > 0 {
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

// replaceDead runs one worker, and replaces it whenever it dies, until the supervisor stops.
func (s *supervisor) replaceDead(number int) {
	name := fmt.Sprintf("%s-%d", engine.WorkerName(s.name), number)
	for s.stopping.Err() == nil {
		begin := time.Now()
		err := s.runOne(name)
		if s.stopping.Err() != nil {
			return
		}

		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == exitUsage {
			// The worker has printed why. Its successor would print the same.
			s.stop(&exitError{exitUsage, nil})
			s.signalAll()
			return
		}

		s.log.Warn("worker died: replacing it", "worker", name, "error", err)
		if time.Since(begin) > earlyDeath {
			continue
		}

		select {
		case <-time.After(restartPause):
		case <-s.stopping.Done():
		}
	}
}

func (s *supervisor) runOne(name string) error {
	cmd := exec.Command(s.program, append(slices.Clone(s.args), "--name", name)...)
	cmd.Stdout = s.out
	cmd.Stderr = s.err
	// The last value of a variable counts, so this one overrides that of the environment.
	cmd.Env = append(os.Environ(), "REDIS_URL="+s.redis)
	// In a separate process group: Ctrl-C must reach it once, through the supervisor.
	cmd.SysProcAttr = engine.ChildAttr()

	// Under the lock, so that signalAll either prevents the start or finds the process.
	s.mu.Lock()
	if s.stopping.Err() != nil {
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
		// No signal asked the worker to exit, so it is replaced as if it had died.
		err = errors.New("it exited with 0, without a signal")
	}
	return err
}

// signalAll forwards a signal. The first drains the workers, the second stops them.
func (s *supervisor) signalAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop(nil)
	for _, child := range s.children {
		engine.AskToEnd(child)
	}
}
