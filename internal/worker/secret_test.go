package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/tasks"
)

const secret = "correct-horse-battery"

// tellingCommand prints its arguments, the length of the secret, and its environment.
const tellingCommand = `{"run": "tr '\\0' ' ' </proc/$$/cmdline; echo; printf %s \"$DB_PASSWORD\" | wc -c; env; exit 3"}`

// log returns the captured output of a first attempt.
func (w *world) log(stage string) string {
	w.Helper()
	id, _ := w.spec.Graph.Lookup(stage)
	log, err := w.journal.Log(w.Context(), run, journal.AttemptID{Stage: id, Attempt: 1})
	w.must(err)
	return string(log.Bytes())
}

func TestSecret_StaysInTheWorker(t *testing.T) {
	t.Setenv("GODAGS_SECRET_DB_PASSWORD", secret)
	t.Setenv("GODAGS_SECRET_OTHER", "another-secret")
	tell := func(_ *world, _ context.Context, s *tasks.Stage) error {
		fmt.Fprint(s.Log, "the password is ", s.Secrets["DB_PASSWORD"])
		if s.Name == "told" {
			panic(fmt.Errorf("password %s refused", s.Secrets["DB_PASSWORD"]))
		}
		return nil
	}
	simulate(t, tell, func(w *world) {
		w.send("1", "command", 1)
		w.expect("started failed")
		w.send("2", "told", 1)
		last := w.expect("started failed started failed")
		if last.Text != "panic: password *** refused" {
			t.Errorf("text is %q", last.Text)
		}
		if log := w.log("told"); !strings.HasPrefix(log, "the password is ***panic: password *** refused\n") {
			t.Errorf("log of the function:\n%s", log)
		}
		argv, rest, _ := strings.Cut(w.log("command"), "\n")
		if !strings.HasPrefix(argv, "sh -c tr ") || strings.Contains(argv, "***") {
			t.Errorf("arguments: %s", argv)
		}
		if !strings.Contains(rest, fmt.Sprintf("%d\n", len(secret))) || !strings.Contains(rest, "DB_PASSWORD=***\n") {
			t.Errorf("the command has not got the secret:\n%s", rest)
		}
		if strings.Contains(rest, "another-secret") || strings.Contains(rest, "GODAGS_SECRET") {
			t.Errorf("the command has got what it must not know:\n%s", rest)
		}
		w.send("3", "s", 1)
		w.expect("started failed started failed started succeeded")
		if log := w.log("s"); log != "the password is " {
			t.Errorf("a stage that declares no secret has got one: %q", log)
		}
		if dump := w.mini.Dump(); strings.Contains(dump, secret) || !strings.Contains(dump, "***") {
			t.Errorf("Redis has the secret, or no log at all:\n%s", dump)
		}
	})
}

func TestSecret_MissingFailsTheStage(t *testing.T) {
	never := func(*world, context.Context, *tasks.Stage) error { return errors.New("the stage was executed") }
	expect := func(want string) {
		simulate(t, never, func(w *world) {
			w.send("1", "told", 1)
			if last := w.expect("started failed"); !strings.HasPrefix(last.Text, want) {
				t.Errorf("text is %q, want %q", last.Text, want)
			}
		})
	}
	expect("secret DB_PASSWORD: the worker has no variable GODAGS_SECRET_DB_PASSWORD")
	t.Setenv("GODAGS_SECRET_DB_PASSWORD", "abc")
	expect("secret DB_PASSWORD has no line of at least 4 bytes")
}
