package engine

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// open returns a session on a Redis, with the key that GODAGS_KEY has now.
func open(t *testing.T, url string) *Session {
	t.Helper()
	s, err := Open(t.Context(), Config{
		Redis:    url,
		Home:     t.TempDir(),
		Registry: tasks.NewRegistry(),
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Key(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// chain returns the spec of a pipeline whose stages follow each other.
func chain(t *testing.T, task string, stages ...string) *spec.Spec {
	t.Helper()
	b := &spec.Builder{Name: "chain"}
	var after []string
	for _, name := range stages {
		b.Add(name, after, spec.Kind{Task: task})
		after = []string{name}
	}
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func TestSession_RunDrivesARunToItsEnd(t *testing.T) {
	t.Setenv(sign.Variable, "the key of these tests")
	s := open(t, redistest.Start(t).URL())
	var roles []Role
	o := RunOptions{ID: "r", Spec: chain(t, "noop", "a", "b"), Concurrency: 1, Tell: func(r Role, _ string) { roles = append(roles, r) }}
	run, err := s.Run(t.Context(), o)
	if err != nil || run.DAG.Outcome() != dag.Succeeded || !slices.Equal(roles, []Role{Owns}) {
		t.Fatalf("got %v, %v, roles %q", run, err, roles)
	}

	// The second call finds the finished run, and does not execute it again.
	roles = nil
	again, err := s.Run(t.Context(), o)
	if err != nil || !again.Finished.Equal(run.Finished) || !slices.Equal(roles, []Role{Ended}) {
		t.Errorf("got %v, %v, roles %q", again, err, roles)
	}

	// Another pipeline cannot have the ID.
	o.Spec = chain(t, "noop", "a", "c")
	if _, err := s.Run(t.Context(), o); !errors.Is(err, journal.ErrDigest) || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("got %v, want ErrDigest and the stage that differs", err)
	}
}

func TestSession_ResumeTakesOverARunWithoutOwner(t *testing.T) {
	t.Setenv(sign.Variable, "the key of these tests")
	s := open(t, redistest.Start(t).URL())
	id, err := s.Submit(t.Context(), RunOptions{Spec: chain(t, "noop", "a")})
	if err != nil || !strings.HasPrefix(string(id), "chain-") {
		t.Fatalf("got %q, %v", id, err)
	}
	run, err := s.Resume(t.Context(), RunOptions{ID: id, Concurrency: 1})
	if err != nil || run.DAG.Outcome() != dag.Succeeded {
		t.Errorf("got %v, %v", run, err)
	}
}

func TestSession_RetryNeedsAFinishedRunAndAStage(t *testing.T) {
	t.Setenv(sign.Variable, "the key of these tests")
	s := open(t, redistest.Start(t).URL())
	o := RunOptions{ID: "r", Spec: chain(t, "noop", "a"), Concurrency: 1}
	if _, err := s.Submit(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Retry(t.Context(), o, ""); !errors.Is(err, ErrActive) {
		t.Errorf("an active run: got %v, want ErrActive", err)
	}

	if _, err := s.Resume(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Retry(t.Context(), o, "aa"); !errors.Is(err, ErrNoStage) || !strings.Contains(err.Error(), `did you mean "a"?`) {
		t.Errorf("an unknown stage: got %v, want ErrNoStage", err)
	}
	if run, err := s.Retry(t.Context(), o, "a"); err != nil || run.DAG.Outcome() != dag.Succeeded {
		t.Errorf("a named stage: got %v, %v", run, err)
	}
}

func TestSession_RefusesValuesInMemoryForSeveralProcesses(t *testing.T) {
	sp := chain(t, "noop", "a")
	sp.Values = "memory"
	for _, o := range []RunOptions{{Spec: sp}, {Spec: sp, Concurrency: 1, Children: 1}} {
		if err := o.check(); !errors.Is(err, ErrSharedMemory) {
			t.Errorf("%d here, %d processes: got %v, want ErrSharedMemory", o.Concurrency, o.Children, err)
		}
	}
	if err := (RunOptions{Spec: sp, Concurrency: 1}).check(); err != nil {
		t.Errorf("one process: got %v", err)
	}
}

// A server drives what has no owner, and a server that stops releases the lease at once.
func TestServer_AdoptsAndReleasesRuns(t *testing.T) {
	t.Setenv(sign.Variable, "the key of these tests")
	s := open(t, redistest.Start(t).URL())
	if _, err := s.Submit(t.Context(), RunOptions{ID: "r", Spec: chain(t, "noop", "a")}); err != nil {
		t.Fatal(err)
	}
	server := s.NewServer(ServeOptions{ID: "server", Runs: 1})
	if err := server.Healthy(); err == nil {
		t.Error("a server that has not scanned yet is healthy")
	}

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	ready := make(chan struct{})
	go func() { done <- server.Run(ctx, func() { close(ready) }) }()
	<-ready
	if err := server.Healthy(); err != nil {
		t.Error(err)
	}
	until(t, "the server owns the run", func() bool { return owner(t, s, "r").Left > 0 })
	if served, err := s.Served(t.Context()); err != nil || !served {
		t.Errorf("served: got %v, %v", served, err)
	}

	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if o := owner(t, s, "r"); o.Left > 0 || o.Finished {
		t.Errorf("got %+v, want an active run without an owner", o)
	}
	if stats := server.Stats(); stats.Adopted != 1 || stats.Driving != 0 || stats.Finished != 0 {
		t.Errorf("got %+v", stats)
	}
}

func owner(t *testing.T, s *Session, run journal.RunID) journal.Ownership {
	t.Helper()
	owners, err := s.Journal.Ownerships(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	return owners[0]
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// A process with another key may look at a run, and must not coordinate it.
func TestSpecs_RefuseARunOfAnotherKey(t *testing.T) {
	url := redistest.Start(t).URL()
	t.Setenv(sign.Variable, "the key of these tests")
	ours := open(t, url)
	if _, err := ours.Submit(t.Context(), RunOptions{ID: "r", Spec: chain(t, "noop", "a")}); err != nil {
		t.Fatal(err)
	}

	t.Setenv(sign.Variable, "another key for these tests")
	theirs := open(t, url)
	if _, err := theirs.Resume(t.Context(), RunOptions{ID: "r", Concurrency: 1}); !errors.Is(err, sign.ErrSignature) {
		t.Errorf("resume: got %v, want ErrSignature", err)
	}
	if sp, err := theirs.Spec(t.Context(), "r"); err != nil || sp.Name != "chain" {
		t.Errorf("show: got %v, %v", sp, err)
	}
	encoded, err := chain(t, "noop", "a").Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.specs.removable(journal.Identity{Run: "r"}, encoded); !errors.Is(err, sign.ErrSignature) {
		t.Errorf("remove: got %v, want ErrSignature", err)
	}
}

func TestKeyFinder(t *testing.T) {
	var paths []string
	file := func(path string) (sign.Key, error) {
		paths = append(paths, path)
		return sign.Random()
	}
	find := func(f keyFinder) error {
		paths = nil
		_, err := f.find(file)
		return err
	}

	os.Unsetenv(sign.Variable)
	home := t.TempDir()
	if err := find(keyFinder{kind: redisx.Private, home: home}); err != nil || !slices.Equal(paths, []string{filepath.Join(home, "key")}) {
		t.Errorf("private: got %q, %v", paths, err)
	}
	user, err := sign.UserFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := find(keyFinder{kind: redisx.External, home: home}); err != nil || !slices.Equal(paths, []string{user}) {
		t.Errorf("external: got %q, %v; want %q", paths, err, user)
	}
	if err := find(keyFinder{kind: redisx.InProcess, home: home}); err != nil || len(paths) > 0 {
		t.Errorf("in process: got %q, %v", paths, err)
	}

	t.Setenv(sign.Variable, "short")
	if err := find(keyFinder{kind: redisx.External}); err == nil || !strings.HasPrefix(err.Error(), sign.Variable+": ") {
		t.Errorf("a short key: got %v", err)
	}
	if err := find(keyFinder{kind: redisx.InProcess, random: true}); err != nil || len(paths) > 0 {
		t.Errorf("random: got %q, %v, want that the environment is not read", paths, err)
	}
}

func TestNewRunID(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"wine":                   "wine-20261130-120000-",
		"a b/ü":                  "a-b-20261130-120000-",
		"...":                    "run-20261130-120000-",
		strings.Repeat("x", 200): strings.Repeat("x", 60) + "-20261130-120000-",
	} {
		id := newRunID(name, now)
		if !strings.HasPrefix(string(id), want) || len(id) != len(want)+4 {
			t.Errorf("%.20s: got %s, want %s and four letters", name, id, want)
		}
		if _, err := journal.ChooseRunID(string(id)); err != nil {
			t.Errorf("%.20s: %v", name, err)
		}
	}
}

// A worker that reported an end itself need not be told of it.
func TestRevokes(t *testing.T) {
	lost := []journal.Record{{Type: journal.StageStarted}, {Type: journal.StageLost}}
	for name, test := range map[string]struct {
		entry journal.Entry
		want  bool
	}{
		"by the coordinator": {journal.Entry{Records: lost}, true},
		"by a worker":        {journal.Entry{Worker: "w", Records: lost}, false},
		"no end":             {journal.Entry{Records: lost[:1]}, false},
	} {
		if got := revokes(test.entry); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func TestQueues(t *testing.T) {
	b := &spec.Builder{Name: "p"}
	b.Add("a", nil, spec.Kind{Task: "noop", Queue: "gpu"})
	b.Add("b", nil, spec.Kind{Task: "noop"})
	b.Add("c", nil, spec.Kind{Task: "noop", Queue: "gpu"})
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := queues(sp), []string{spec.DefaultQueue, "gpu"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
