package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/redistest"
)

// world is a folder in which a test starts programs.
type world struct {
	t    *testing.T
	dir  string
	env  []string
	next int // number of the next program
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "w") // not t.TempDir: a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, dir: dir, env: os.Environ()}
}

// set sets an environment variable of the programs that are started from now on.
func (w *world) set(name, value string) { w.env = append(w.env, name+"="+value) }

// useRedis starts a redis-server that the programs use.
func (w *world) useRedis() {
	w.t.Helper()
	w.set("REDIS_URL", redistest.Start(w.t).URL())
}

// needRedis skips the test where there is no redis-server that a program could start.
func (w *world) needRedis() {
	w.t.Helper()
	need(w.t, "redis-server")
}

// hideRedis takes redis-server off the programs' PATH.
func (w *world) hideRedis() {
	w.t.Helper()
	dir, err := withoutRedis(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.set("PATH", dir)
}

// write makes a file.
func (w *world) write(name string, content any) {
	w.t.Helper()
	text, ok := content.(string)
	if !ok {
		data, err := json.Marshal(content)
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(data)
	}
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	return cmd
}

// start starts a program, which is killed when the test ends if it still runs.
func (w *world) start(program string, args ...string) *process {
	w.t.Helper()
	w.next++
	p, err := launch(w.command(program, args...), filepath.Join(w.dir, fmt.Sprintf("%s.%d", filepath.Base(program), w.next)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		p.kill()
		if w.t.Failed() {
			w.t.Logf("%s\nstdout:\n%s\nstderr:\n%s", strings.Join(p.Args, " "), p.stdout(), p.stderr())
		}
	})
	return p
}

// ended waits until a program has ended with this exit code.
func (w *world) ended(p *process, want int) {
	w.t.Helper()
	if code, ok := p.wait(limit); !ok || code != want {
		w.t.Fatalf("%s: exit code %d, ended: %v; want code %d", strings.Join(p.Args, " "), code, ok, want)
	}
}

// says waits until a program has said something.
func (w *world) says(p *process, text string) {
	w.t.Helper()
	w.await(fmt.Sprintf("%q from %s", text, p), func() bool { return strings.Contains(p.stderr(), text) })
}

// signal sends a signal to a program that has not ended.
func (w *world) signal(p *process, s os.Signal) {
	w.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		w.t.Fatal(err)
	}
}

// coordinator runs a command that must succeed, and returns what it prints.
func (w *world) coordinator(args ...string) string {
	w.t.Helper()
	cmd := w.command("coordinator", args...)
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("coordinator %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// await waits until something holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	if !poll(limit, holds) {
		w.t.Fatalf("not within %s: %s", limit, what)
	}
}

// exists reports whether there is such a file.
func (w *world) exists(name string) bool {
	_, err := os.Stat(filepath.Join(w.dir, name))
	return err == nil
}

// has reports whether there is such a file, and something in it.
func (w *world) has(name string) bool {
	info, err := os.Stat(filepath.Join(w.dir, name))
	return err == nil && info.Size() > 0
}

// event is a line that the command events prints.
type event struct {
	Seq     int
	Time    time.Time
	Type    string
	Stage   string
	Attempt int
	Worker  string
	Reason  string
}

// events returns the journal of a run; nothing if it is not known yet.
func (w *world) events(run string) []event {
	w.t.Helper()
	out, err := w.command("coordinator", "events", run).Output()
	if err != nil {
		return nil
	}
	return w.parse(string(out))
}

// parse reads a journal. Lines about the display, such as messages and what stages wait for, have
// no number and are left out.
func (w *world) parse(text string) (list []event) {
	w.t.Helper()
	for line := range strings.Lines(text) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			w.t.Fatalf("%v: %s", err, line)
		}
		switch e.Type {
		case "message", "waiting", "resolved", "output":
			continue
		}
		if e.Seq != len(list)+1 {
			w.t.Fatalf("event %d has number %d", len(list)+1, e.Seq)
		}
		list = append(list, e)
	}
	return list
}

// awaitEvent returns the first event of a type and stage, once there is one.
func (w *world) awaitEvent(run, kind, stage string) (found event) {
	w.t.Helper()
	w.await(kind+" of "+stage, func() bool {
		list := w.events(run)
		i := slices.IndexFunc(list, func(e event) bool { return e.Type == kind && e.Stage == stage })
		if i >= 0 {
			found = list[i]
		}
		return i >= 0
	})
	return found
}

// workerPIDs returns the process numbers of the live workers, by id.
func (w *world) workerPIDs() map[string]int {
	w.t.Helper()
	var list []struct {
		Worker, State string
		PID           int
	}
	if err := json.Unmarshal([]byte(w.coordinator("workers", "--output", "json")), &list); err != nil {
		w.t.Fatal(err)
	}
	pids := make(map[string]int)
	for _, one := range list {
		if one.State != "silent" {
			pids[one.Worker] = one.PID
		}
	}
	return pids
}

// stage and file are a pipeline as it is written to a file.
type stage struct {
	Name   string         `json:"name"`
	After  []string       `json:"after,omitempty"`
	Run    string         `json:"run,omitempty"`
	Task   string         `json:"task,omitempty"`
	Params map[string]any `json:"params,omitempty"`
}

type file struct {
	Stages []stage `json:"stages"`
}
