package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// between is a hook that a test puts between a client and Redis.
type between func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error

func (b between) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return b(ctx, cmd, next) }
}

func (b between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// A stage reads its inputs and values, and stores its output, once Redis and the network work
// again.
func TestAttempt_WaitsForRedis(t *testing.T) {
	refusals := map[string]error{
		"reset":   &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		"timeout": &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded},
		"pipe":    &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)},
		"pool":    redis.ErrPoolTimeout,
	}
	for _, text := range []string{
		"LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read only replica.",
		"NOREPLICAS Not enough good replicas to write.", "MISCONF Redis is configured to save RDB snapshots",
		"BUSY Redis is busy running a script.", "OOM command not allowed when used memory > 'maxmemory'.",
		"ERR max number of clients reached", "TRYAGAIN Multiple keys request during rehashing of slot", "CLUSTERDOWN The cluster is down",
		"MOVED 1 127.0.0.1:1",
	} {
		refusals[strings.ReplaceAll(text[:9], " ", "_")] = answer(text)
	}
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			var refused atomic.Bool
			refuse := func(w *world) {
				refused.Store(true)
				time.AfterFunc(20*time.Second, func() { refused.Store(false) })
			}
			stage := func(w *world, ctx context.Context, s *tasks.Stage) error {
				// Simulated time passes only after the test has sent its task. The task itself must
				// not be refused.
				time.Sleep(time.Millisecond)
				refuse(w)
				if err := s.Values.Put(ctx, "key", []byte("value")); err != nil {
					return err
				}
				refuse(w)
				if value, err := s.Values.Get(ctx, "key"); err != nil || string(value) != "value" {
					return fmt.Errorf("read %q: %w", value, err)
				}
				refuse(w)
				if _, err := s.Values.Output(ctx, "x"); !errors.Is(err, tasks.ErrNoOutput) {
					return err
				}
				refuse(w)
				// a large output is stored before the success is recorded
				s.Values.SetOutput(make([]byte, 2*values.MaxInline))
				return nil
			}
			simulate(t, stage, func(w *world) {
				w.client.AddHook(between(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
					if refused.Load() {
						cmd.SetErr(refusal)
						return refusal
					}
					return next(ctx, cmd)
				}))
				w.send("1", "s", 1)
				time.Sleep(2 * time.Minute)
				w.expect("started succeeded")
			})
		})
	}
}

// answer is an error reply of Redis.
type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

// A service that a stage uses may refuse connections too. That is an error of the stage.
func TestAttempt_FailsByItsOwnNetwork(t *testing.T) {
	simulate(t, func(*world, context.Context, *tasks.Stage) error {
		return fmt.Errorf("ask the service: %w", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED})
	}, func(w *world) {
		w.send("1", "s", 1)
		time.Sleep(time.Second)
		w.expect("started failed")
	})
}

// Heartbeats have a separate connection and goroutine: a transfer may occupy all connections of the
// client for the journal and values.
func TestHeartbeat_DoesNotWaitForTransfers(t *testing.T) {
	simulate(t, func(_ *world, ctx context.Context, s *tasks.Stage) error {
		return s.Values.Put(ctx, "key", []byte("a large value on a slow link"))
	}, func(w *world) {
		var transferring atomic.Bool
		w.client.AddHook(between(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if strings.Contains(fmt.Sprint(cmd.Args()), "a large value") {
				transferring.Store(true)
				time.Sleep(time.Minute)
				transferring.Store(false)
			}
			for transferring.Load() {
				time.Sleep(time.Second)
			}
			return next(ctx, cmd)
		}))
		w.send("1", "s", 1)
		for range 50 {
			time.Sleep(time.Second)
			if err := w.worker.Healthy(); err != nil {
				w.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		w.expect("started succeeded")
	})
}

// A worker that cannot execute commands returns the attempt. It takes no other, and its heartbeats
// say why, until it can.
func TestWorker_TakesNothingWhileItCannotExecute(t *testing.T) {
	var broken, checks atomic.Int64
	broken.Store(1)
	simulate(t, func(*world, context.Context, *tasks.Stage) error {
		if broken.Load() > 0 {
			return fmt.Errorf("%w: folder for inputs: mkdir /tmp/gone: no such file or directory", tasks.ErrWorker)
		}
		return nil
	}, func(w *world) {
		w.worker.health.check = func() error {
			if checks.Add(1); broken.Load() > 0 {
				return tasks.ErrWorker
			}
			return nil
		}
		w.sendBatch("1", 1, "s", "x") // x is not claimed, and goes back to the queue
		w.send("2", "y", 1)
		time.Sleep(30 * time.Second)
		w.tells("s started, s lost")
		if err := w.worker.Healthy(); !errors.Is(err, tasks.ErrWorker) {
			w.Errorf("it says that it is healthy: %v", err)
		}
		list, err := w.fleet.Workers(w.Context())
		w.must(err)
		if len(list) != 1 || !strings.Contains(list[0].Unhealthy, "mkdir /tmp/gone") || list[0].Able() || !list[0].Alive() {
			w.Errorf("it is listed as %+v", list)
		}
		if n := checks.Load(); n < 2 || n > 6 {
			w.Errorf("%d checks in 30 s, want fewer and fewer", n)
		}

		broken.Store(0)
		time.Sleep(2 * time.Minute)
		w.must(w.worker.Healthy())
		story := w.story()
		for _, want := range []string{"y succeeded", "x succeeded"} {
			if !strings.Contains(story, want) {
				w.Errorf("%q, want %q", story, want)
			}
		}
		if strings.Contains(story, "failed") {
			w.Errorf("%q: a stage has failed by what is the worker's", story)
		}
		if list, err = w.fleet.Workers(w.Context()); err != nil || len(list) != 1 || list[0].Unhealthy != "" {
			w.Errorf("it is listed as %+v, %v", list, err)
		}
	})
}

// A stage may be the first to find that the process has no descriptors, or the machine no disk,
// left.
func TestWorker_ChecksItselfAfterAFailure(t *testing.T) {
	outOfFiles := &os.PathError{Op: "open", Path: "data.csv", Err: syscall.EMFILE}
	for _, test := range []struct {
		failure, lack error
		want          string
	}{
		{outOfFiles, tasks.ErrWorker, "started lost"},
		{outOfFiles, nil, "started failed"}, // its own limit, such as a quota of a folder
		{&tasks.ExitError{Code: 1}, tasks.ErrWorker, "started lost"},
		{&tasks.ExitError{Code: 1}, nil, "started failed"},
		// this failure has nothing to do with the worker
		{errors.New("no such city"), tasks.ErrWorker, "started failed"},
	} {
		simulate(t, func(*world, context.Context, *tasks.Stage) error { return test.failure }, func(w *world) {
			w.worker.health.check = func() error { return test.lack }
			w.send("1", "s", 1)
			time.Sleep(time.Second)
			w.expect(test.want)
		})
	}
}

func TestWorker_WaitsForRedisAtItsStart(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		late := w.worker.Config
		late.Info.ID, late.Client = "late", w.connect()
		defer late.Client.Close()
		w.mini.SetError("OOM command not allowed when used memory > 'maxmemory'.")
		drain, stop := context.WithCancel(w.Context())
		listens, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- New(late).Run(drain, w.Context(), func() { close(listens) }) }()
		time.Sleep(10 * fleet.WorkerTTL)
		select {
		case err := <-ended:
			w.Fatalf("it does not wait: %v", err)
		default:
		}
		w.mini.SetError("")
		<-listens
		stop()
		w.must(<-ended)
	})
}
