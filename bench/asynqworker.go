package main

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
)

// asynqRole is the first argument of this program when it is to be a worker of raw Asynq.
const asynqRole = "asynq-worker"

// The tasks of that worker. A stamp says when it was begun; a hop enqueues the next one, as often
// as its payload says, and then a stamp.
const (
	taskNoop  = "noop"
	taskStamp = "stamp"
	taskHop   = "hop"
)

// notice is what a worker of raw Asynq says: one JSON object per line of its standard output.
type notice struct {
	Ready bool      `json:",omitempty"` // it takes tasks
	Stamp time.Time `json:",omitzero"`  // a stamp was begun

	Count int64 `json:",omitempty"` // when it ends: the no-ops that it executed
	// when it began the first of them, and had executed the last
	First, Last time.Time `json:",omitzero"`
}

// serveAsynq is a worker of raw Asynq that executes a number of tasks at once. All else is as Asynq
// has it.
func serveAsynq(url, slots string) error {
	concurrency, err := strconv.Atoi(slots)
	if err != nil {
		return err
	}

	connection, err := asynq.ParseRedisURI(url)
	if err != nil {
		return err
	}

	client := asynq.NewClient(connection)
	defer client.Close()
	w := &asynqWorker{client: client, out: json.NewEncoder(os.Stdout)}

	server := asynq.NewServer(connection, asynq.Config{Concurrency: concurrency, LogLevel: asynq.ErrorLevel})
	// Before the worker says that it is ready: a signal must not end it before it reports its
	// counts.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	if err := server.Start(asynq.HandlerFunc(w.process)); err != nil {
		return err
	}

	w.say(notice{Ready: true})
	<-stop
	server.Shutdown()
	if count := w.count.Load(); count > 0 {
		w.say(notice{Count: count, First: w.first, Last: time.Unix(0, w.last.Load())})
	}

	return nil
}

type asynqWorker struct {
	client *asynq.Client
	begun  sync.Once
	first  time.Time
	count  atomic.Int64
	last   atomic.Int64

	mu  sync.Mutex
	out *json.Encoder
}

func (w *asynqWorker) say(n notice) {
	w.mu.Lock()
	defer w.mu.Unlock()

	// The only error is a closed pipe: the program that started this worker has ended.
	_ = w.out.Encode(n)
}

func (w *asynqWorker) process(ctx context.Context, t *asynq.Task) error {
	now := time.Now()
	switch t.Type() {
	case taskStamp:
		w.say(notice{Stamp: now})
	case taskHop:
		left, err := strconv.Atoi(string(t.Payload()))
		if err != nil {
			return err
		}
		_, err = w.client.EnqueueContext(ctx, hopTask(left-1))
		return err
	default:
		// Counted here, not in Redis: a look at Redis after each task would slow down what is
		// measured.
		w.begun.Do(func() { w.first = now })
		w.count.Add(1)
		w.last.Store(time.Now().UnixNano())
	}

	return nil
}

func hopTask(left int) *asynq.Task {
	if left == 0 {
		return asynq.NewTask(taskStamp, nil)
	}
	return asynq.NewTask(taskHop, strconv.AppendInt(nil, int64(left), 10))
}
