package queue

import (
	"errors"
	"slices"
	"testing"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/sign"
)

func TestSucceededAttempts_SayWhichAttemptsSucceeded(t *testing.T) {
	for _, want := range [][]dag.Attempt{{0}, {2}, {1, 0}, {0, 1, 1, 65535, 1, 0}, slices.Repeat([]dag.Attempt{1, 0, 7}, 1000)} {
		e := EncodeSucceeded(len(want), func(i int) dag.Attempt { return want[i] })
		if got, err := e.Attempts(len(want)); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, want %v; %v", got, want, err)
		}
		if _, err := e.Attempts(len(want) - 1); err == nil && want[len(want)-1] != 1 {
			t.Errorf("%v: attempts beyond the list are taken", want)
		}
	}
	if e := EncodeSucceeded(1000, func(int) dag.Attempt { return 1 }); len(e) > 0 {
		t.Errorf("first attempts are encoded: %v", e)
	}
}

func FuzzSucceededAttempts(f *testing.F) {
	f.Add([]byte{1, 0, 1, 2}, 3)
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0}, 3)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n < 0 || n > 1<<16 {
			return
		}
		if list, err := SucceededAttempts(data).Attempts(n); err == nil && len(data) > 0 && len(list) != n {
			t.Errorf("%d attempts of %d stages", len(list), n)
		}
	})
}

// The name of the queue comes with the message, and the message may be in another queue.
func TestServer_RefusesATaskOfAQueueToWhichItDoesNotListen(t *testing.T) {
	k := key(t)
	s := &Server{cfg: ServerConfig{Key: k}, names: map[string]string{"default": "default"}}
	if _, err := s.verify("default", payload(t, k, "default", Item{Stage: 1, Attempt: 1})); err != nil {
		t.Error(err)
	}
	for queue, body := range map[string][]byte{
		"gpu": payload(t, k, "gpu", Item{Stage: 1, Attempt: 1}), "default": payload(t, k, "gpu", Item{Stage: 1, Attempt: 1}), "": payload(t, k, "", Item{Stage: 1, Attempt: 1}),
	} {
		if _, err := s.verify(queue, body); !errors.Is(err, sign.ErrSignature) {
			t.Errorf("a task that says that its queue is %q: %v", queue, err)
		}
	}
}

// FuzzVerify: nobody without the key makes a task that is decoded.
func FuzzVerify(f *testing.F) {
	k := key(f)
	good := payload(f, k, "default", Item{Stage: 1, Attempt: 1})
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		if body, err := verifyTask(k, "default", data); err == nil && string(data) != string(good) {
			t.Errorf("%q is taken", body)
		}
	})
}
