package queue

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/redistest"
)

// replies are what Redis answers, one after the other; nil is success.
type replies struct {
	answers []error
	asked   []time.Duration // since the start of the test
	begin   time.Time
	then    func() // happens, once, between the first answer and its arrival
}

func (r *replies) next(context.Context, redis.Cmder) error {
	if r.then != nil {
		r.then()
		r.then = nil
	}
	r.asked = append(r.asked, time.Since(r.begin))
	err := r.answers[min(len(r.asked), len(r.answers))-1]
	return err
}

func dequeueOf(queue string) redis.Cmder {
	return redis.NewCmd(context.Background(), "evalsha", "sha", 4, "asynq:{"+queue+"}:pending", "asynq:{"+queue+"}:paused", "a", "l")
}

func done() redis.Cmder {
	return redis.NewCmd(context.Background(), "evalsha", "sha", 3, "asynq:{q}:active", "asynq:{q}:lease", "t")
}

type bench struct {
	*testing.T
	hook  *hook
	redis *replies
	stop  chan struct{}
}

func simulate(t *testing.T, queues int, answers []error, test func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		test(&bench{t, newHook(queues, 1, make(chan struct{}, 1), stop), &replies{answers: answers, begin: time.Now()}, stop})
	})
}

func (b *bench) ask(ctx context.Context, cmd redis.Cmder) error {
	return b.hook.ProcessHook(b.redis.next)(ctx, cmd)
}

func (b *bench) askedAt(want ...time.Duration) {
	b.Helper()
	if len(b.redis.asked) != len(want) {
		b.Fatalf("asked at %v, want %v", b.redis.asked, want)
	}
	for i, at := range want {
		if b.redis.asked[i] != at {
			b.Fatalf("asked at %v, want %v", b.redis.asked, want)
		}
	}
}

func TestHook_AsksAnEmptyQueueAfterTheFallback(t *testing.T) {
	simulate(t, 1, []error{redis.Nil, redis.Nil, nil}, func(b *bench) {
		if err := b.ask(b.Context(), dequeueOf("q")); err != nil {
			b.Fatal(err)
		}
		b.askedAt(0, wakeFallback, 2*wakeFallback)
	})
}

// The command says until when the task is leased: one that has waited too long would fetch a task
// whose lease has ended.
func TestHook_RenewsTheLeaseAfterAWaitForATask(t *testing.T) {
	simulate(t, 1, []error{redis.Nil}, func(b *bench) {
		if err := b.ask(b.Context(), dequeueOf("q")); !errors.Is(err, redis.Nil) {
			b.Fatal(err)
		}
		if waited := time.Since(b.redis.begin); waited > maxDequeueWait+wakeFallback {
			b.Fatalf("it waited for %s", waited)
		}
	})
}

func TestHook_DequeuesNothingWhileAllSlotsAreTaken(t *testing.T) {
	simulate(t, 1, []error{nil}, func(b *bench) {
		for range 2 {
			if err := b.ask(b.Context(), dequeueOf("q")); err != nil {
				b.Fatal(err)
			}
			b.hook.handlerStarted()
			time.AfterFunc(time.Second, func() { <-b.hook.slots }) // the batch is executed
		}
		b.askedAt(0, time.Second)
		close(b.stop)
		if err := b.ask(b.Context(), dequeueOf("q")); !errors.Is(err, redis.Nil) {
			b.Fatal("a stopped server waits for a slot")
		}
	})
}

func TestHook_RenewsTheLeaseAfterAWaitForASlot(t *testing.T) {
	simulate(t, 1, []error{nil}, func(b *bench) {
		if err := b.ask(b.Context(), dequeueOf("q")); err != nil {
			b.Fatal(err)
		}
		b.hook.handlerStarted()
		time.AfterFunc(time.Hour, func() { <-b.hook.slots })
		if err := b.ask(b.Context(), dequeueOf("q")); !errors.Is(err, redis.Nil) {
			b.Fatal(err)
		}
		b.askedAt(0)
		if err := b.ask(b.Context(), dequeueOf("q")); err != nil {
			b.Fatal("the slot was not given back")
		}
		b.askedAt(0, time.Hour)
	})
}

// Asynq calls no handler for a task that it cannot read.
func TestHook_ReturnsTheSlotOfATaskWithoutAHandler(t *testing.T) {
	simulate(t, 1, []error{nil}, func(b *bench) {
		for range 3 {
			if err := b.ask(b.Context(), dequeueOf("q")); err != nil {
				b.Fatal(err)
			}
		}
		b.askedAt(0, handlerTimeout, 2*handlerTimeout)
		b.hook.handlerStarted()
		if len(b.hook.slots) != 1 {
			b.Fatal("the handler that has come has no slot")
		}
	})
}

func TestHook_GivesALateHandlerAnotherSlot(t *testing.T) {
	simulate(t, 1, []error{nil, redis.Nil}, func(b *bench) {
		for range 2 {
			_ = b.ask(b.Context(), dequeueOf("q"))
		}
		if len(b.hook.slots) != 0 {
			b.Fatal("a slot is taken for nobody")
		}
		b.hook.handlerStarted()
		if len(b.hook.slots) != 1 {
			b.Fatal("it has no slot")
		}
	})
}

func TestHook_EndsTheWaitAtAWakeUp(t *testing.T) {
	simulate(t, 1, []error{redis.Nil, nil}, func(b *bench) {
		time.AfterFunc(time.Millisecond, func() { b.hook.wake <- struct{}{} })
		if err := b.ask(b.Context(), dequeueOf("q")); err != nil {
			b.Fatal(err)
		}
		b.askedAt(0, time.Millisecond)
	})
}

// The task came between the look and the wait.
func TestHook_KeepsAWakeUpBeforeTheWait(t *testing.T) {
	simulate(t, 1, []error{redis.Nil, nil}, func(b *bench) {
		b.redis.then = func() { b.hook.wake <- struct{}{} }
		if err := b.ask(b.Context(), dequeueOf("q")); err != nil {
			b.Fatal(err)
		}
		b.askedAt(0, 0)
	})
}

// What it was about is found by the next look.
func TestHook_DropsAWakeUpBeforeTheDequeue(t *testing.T) {
	simulate(t, 1, []error{redis.Nil, nil}, func(b *bench) {
		b.hook.wake <- struct{}{}
		if err := b.ask(b.Context(), dequeueOf("q")); err != nil {
			b.Fatal(err)
		}
		b.askedAt(0, wakeFallback)
	})
}

func TestHook_EndsTheWaitAtAStop(t *testing.T) {
	simulate(t, 1, []error{redis.Nil}, func(b *bench) {
		time.AfterFunc(time.Millisecond, func() { close(b.stop) })
		if err := b.ask(b.Context(), dequeueOf("q")); !errors.Is(err, redis.Nil) {
			b.Fatal(err)
		}
		if waited := time.Since(b.redis.begin); waited != time.Millisecond {
			b.Fatal(waited)
		}
	})
}

func TestHook_AsksAllQueuesBeforeTheWait(t *testing.T) {
	simulate(t, 2, []error{redis.Nil}, func(b *bench) {
		for _, q := range []string{"one", "two", "two", "one"} {
			if err := b.ask(b.Context(), dequeueOf(q)); !errors.Is(err, redis.Nil) {
				b.Fatal(err)
			}
		}
		b.askedAt(0, 0, wakeFallback, wakeFallback)
	})
}

func TestHook_SlowsFailingDequeuesDown(t *testing.T) {
	oom := errors.New("OOM command not allowed")
	simulate(t, 1, []error{oom}, func(b *bench) {
		for range 20 {
			if err := b.ask(b.Context(), dequeueOf("q")); !errors.Is(err, oom) {
				b.Fatal(err)
			}
		}
		if took := time.Since(b.redis.begin); took < 15*time.Second {
			b.Fatalf("20 dequeues in %s", took)
		}
	})
}

func TestHook_LetsAMissingScriptBeSentAtOnce(t *testing.T) {
	unknown := errors.New("NOSCRIPT No matching script")
	simulate(t, 1, []error{unknown}, func(b *bench) {
		if err := b.ask(b.Context(), dequeueOf("q")); !errors.Is(err, unknown) || time.Since(b.redis.begin) > 0 {
			b.Fatal(err, time.Since(b.redis.begin))
		}
	})
}

var refused error = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

func TestHook_RepeatsACompletionUntilItSucceeds(t *testing.T) {
	simulate(t, 1, []error{refused, io.EOF, nil}, func(b *bench) {
		ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
		defer cancel()
		if err := b.ask(ctx, done()); err != nil {
			b.Fatal(err)
		}
		b.askedAt(0, firstDelay, 3*firstDelay)
	})
}

func TestHook_DropsACompletionWhenTheLeaseEnds(t *testing.T) {
	simulate(t, 1, []error{refused}, func(b *bench) {
		ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
		defer cancel()
		if err := b.ask(ctx, done()); !errors.Is(err, refused) || time.Since(b.redis.begin) != 30*time.Second {
			b.Fatal(err, time.Since(b.redis.begin))
		}
	})
}

func TestHook_PassesOtherCommands(t *testing.T) {
	simulate(t, 1, []error{redis.Nil}, func(b *bench) {
		for _, args := range [][]any{{"ping"}, {"evalsha", "sha", 0}, {"evalsha", "sha", 2, "asynq:{q}:t:1", "asynq:{q}:pending"}} {
			if err := b.ask(b.Context(), redis.NewCmd(b.Context(), args...)); !errors.Is(err, redis.Nil) {
				b.Fatal(err)
			}
		}
		b.askedAt(0, 0, 0)
	})
}

// A handler that comes late waits for another slot, for as long as a stage takes. Its task is not
// lost.
func TestServer_SaysWhatWasDeliveredAndHasNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(redistest.Mini(t), ServerConfig{Queues: []string{"q"}, Key: key(t), Slots: 1, Logger: slog.New(slog.DiscardHandler)})
		s.hook.slots <- struct{}{}
		done := make(chan error, 1)
		go func() { done <- s.process(t.Context(), asynq.NewTask("p", []byte("forged"))) }()
		synctest.Wait()
		if got := s.Delivered(); len(got) != 1 {
			t.Errorf("delivered: %q, want the task that waits for a slot", got)
		}
		<-s.hook.slots
		<-done
		if got := s.Delivered(); len(got) != 0 {
			t.Errorf("delivered: %q, want nothing", got)
		}
	})
}

func TestRequeuedAttempt_TellsTasksApart(t *testing.T) {
	for id, want := range map[string]string{"r/a#1.ABCDEF": "r/a#1", "r/a#1": "", "r/a.b#1+5-1.1": "", "r/v1.abcde#1": ""} {
		if got := RequeuedAttempt(id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}
