package faults

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/faulttest"
	"github.com/godags/godags/internal/redistest"
)

// world is a folder, a redis-server, and the programs that a test starts.
type world struct {
	t     *testing.T
	id    string // for a run: no other test has it
	dir   string
	redis *redistest.Server
	url   string // where the test itself finds Redis
	rdb   *redis.Client
	next  int

	silences func() int // so far: see listen
}

func newWorld(t *testing.T, redisArgs ...string) *world {
	t.Helper()
	w := &world{t: t, id: "r" + strings.ToLower(rand.Text()[:8]), dir: t.TempDir()}
	w.redis = redistest.Start(t, redisArgs...)
	w.url, w.rdb = w.redis.URL(), w.redis.Client()
	w.silences = w.listen()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// process is a program that was started. Its output goes to the files name.out and name.err.
type process struct {
	*exec.Cmd
	w    *world
	name string
	done chan struct{}
}

// start starts a program, which is killed when the test ends if it still runs. It finds Redis
// at url.
func (w *world) start(url string, args ...string) *process {
	w.t.Helper()
	return w.launch(exec.Command(args[0], args[1:]...), url)
}

func (w *world) launch(cmd *exec.Cmd, url string) *process {
	w.t.Helper()
	w.next++
	p := &process{cmd, w, filepath.Join(w.dir, fmt.Sprintf("%s.%d", filepath.Base(cmd.Args[0]), w.next)), make(chan struct{})}
	cmd.Dir, cmd.Env = w.dir, append(os.Environ(), "REDIS_URL="+url, "GODAGS_HOME="+filepath.Join(w.dir, "home"))
	out, err := os.Create(p.name + ".out")
	w.must(err)
	defer out.Close()
	errs, err := os.Create(p.name + ".err")
	w.must(err)
	defer errs.Close()
	// files, so that no process that goes on can keep Wait from returning
	cmd.Stdout, cmd.Stderr = out, errs
	w.must(cmd.Start())
	go func() {
		defer close(p.done)
		cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	w.t.Cleanup(func() {
		p.kill()
		if w.t.Failed() {
			w.t.Logf("%s\nstdout:\n%s\nstderr:\n%s", strings.Join(cmd.Args, " "), tail(p.stdout()), tail(p.stderr()))
		}
	})
	return p
}

func tail(text string) string { return text[max(0, len(text)-4000):] }

func (p *process) stdout() string { return read(p.name + ".out") }
func (p *process) stderr() string { return read(p.name + ".err") }

func read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// kill kills it with SIGKILL and waits until it is gone.
func (p *process) kill() {
	p.Process.Kill() // it fails if there is nothing to kill
	<-p.done
}

// nor is it an error that it has ended
func (p *process) signal(s os.Signal) { p.Process.Signal(s) }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// worker starts a worker and waits until it listens.
func (w *world) worker() *process {
	w.t.Helper()
	return w.workerAt(w.redis.URL())
}

// workerAt is worker for one that finds Redis at url.
func (w *world) workerAt(url string) *process {
	w.t.Helper()
	p := w.start(url, "worker")
	p.says("worker listens")
	return p
}

var workerID = regexp.MustCompile(`msg="worker listens" worker=(\S+)`)

// id returns the worker's name in the journal, nothing before it has one.
func (p *process) id() string {
	found := workerID.FindStringSubmatch(p.stderr())
	if found == nil {
		return ""
	}
	return found[1]
}

// crew starts n workers.
func (w *world) crew(n int) (workers []*process) {
	w.t.Helper()
	for range n {
		workers = append(workers, w.worker())
	}
	return workers
}

// exits waits until it has ended with this exit code.
func (p *process) exits(want int) {
	p.w.t.Helper()
	select {
	case <-p.done:
		if code := p.ProcessState.ExitCode(); code != want {
			p.w.t.Fatalf("%s: exit code %d, want %d", p, code, want)
		}
	case <-time.After(limit):
		p.w.t.Fatalf("%s has not ended within %s", p, limit)
	}
}

// says waits until it has said something.
func (p *process) says(text string) {
	p.w.t.Helper()
	p.w.await(fmt.Sprintf("%q from %s", text, p), func() bool { return strings.Contains(p.stderr(), text) })
}

// await waits until something holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	if !poll(limit, holds) {
		w.t.Fatalf("not within %s: %s", limit, what)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// pid returns the process number that a stage has written to a file.
func (w *world) pid(name string) int {
	w.t.Helper()
	w.await(name, func() bool { return strings.HasSuffix(read(w.path(name)), "\n") })
	pid, err := strconv.Atoi(strings.TrimSpace(read(w.path(name))))
	w.must(err)
	return pid
}

// gone waits until the process whose number is in a file does not exist any more.
func (w *world) gone(name string) {
	w.t.Helper()
	pid := w.pid(name)
	w.await("the end of the process in "+name, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ")
	})
}

// stage is a stage as it is written to a file.
type stage struct {
	Name    string         `json:"name"`
	After   []string       `json:"after,omitempty"`
	Run     string         `json:"run,omitempty"`
	Task    string         `json:"task,omitempty"`
	Params  map[string]any `json:"params,omitempty"`
	Trigger string         `json:"trigger,omitempty"`
	Retries int            `json:"retries,omitempty"`
	Backoff map[string]any `json:"backoff,omitempty"`
	ForEach string         `json:"for_each,omitempty"`
}

func (w *world) write(name string, stages []stage) {
	w.t.Helper()
	text, err := json.Marshal(map[string]any{"stages": stages})
	w.must(err)
	w.must(os.WriteFile(w.path(name), text, 0o600))
}

// goOn lets the stages of a held pipeline finish.
func (w *world) goOn() {
	w.t.Helper()
	w.must(os.WriteFile(w.path("go"), nil, 0o600))
}

// command runs a command of the coordinator on the Redis itself and returns what it prints.
func (w *world) command(args ...string) (string, error) {
	cmd := exec.Command("coordinator", args...)
	cmd.Env = append(os.Environ(), "REDIS_URL="+w.url)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("coordinator %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out), err
}

// events returns the journal of a run so far.
func (w *world) events(run string) []faulttest.Event {
	w.t.Helper()
	out, err := w.command("events", run)
	w.must(err)
	events, err := faulttest.Parse(out)
	w.must(err)
	return events
}

// unnoticed is how long a fault may go unnoticed: much longer than what is promised, since a
// machine that runs tests may be busy, and shorter than the 55 s after which Asynq notices that a
// worker is gone.
const unnoticed = 30 * time.Second

// within tells how long something took that is promised within a time.
func (w *world) within(what string, took, promised time.Duration) {
	w.t.Helper()
	w.t.Attr("recovery", fmt.Sprintf("%s after %s (promised: %s)", what, took.Round(time.Millisecond), promised))
	if took > unnoticed {
		w.t.Errorf("%s took %s, promised are %s", what, took, promised)
	}
}

// judge says what is wrong with a run. Tasks of workers that were killed are Asynq's for one or two
// minutes more, so of what it leaves in Redis only its claims count here.
func judge(w *world, run string, stages []stage, faults int, bound time.Duration) (t faulttest.Trial, errs []error) {
	out, err := w.command("events", run)
	if err != nil {
		return t, []error{err}
	}
	t = faulttest.Trial{Faults: faults, Bound: bound}
	for _, s := range stages {
		one := faulttest.Stage{Name: s.Name, After: s.After, Trigger: s.Trigger, Retries: s.Retries, ForEach: s.ForEach != ""}
		if one.ForEach {
			one.After = append(slices.Clone(s.After), s.ForEach)
		}
		t.Stages = append(t.Stages, one)
	}
	if t.Events, err = faulttest.Parse(out); err != nil {
		return t, []error{err}
	}
	var status struct {
		State  string
		Stages map[string]int
	}
	if out, err = w.command("status", run, "--output", "json"); err == nil {
		err = json.Unmarshal([]byte(out), &status)
	}
	if err != nil {
		return t, []error{err}
	}
	t.State, t.Reported = status.State, status.Stages
	errs = faulttest.Check(t)
	claims, err := faulttest.Claims(context.Background(), w.rdb, run)
	if err != nil {
		errs = append(errs, err)
	}
	for _, c := range claims {
		errs = append(errs, fmt.Errorf("I6: %s is left", c))
	}
	var left []string
	if !poll(limit, func() bool { left = faulttest.Processes(run); return len(left) == 0 }) {
		errs = append(errs, fmt.Errorf("I7: orphaned: %s", strings.Join(left, ", ")))
	}
	return t, errs
}

// lost counts the attempts that were lost.
func lost(events []faulttest.Event) (n int) {
	for _, e := range events {
		if e.Type == "stage.lost" && !strings.HasPrefix(e.Reason, "not begun") {
			n++
		}
	}
	return n
}

const (
	sigstop = syscall.SIGSTOP
	sigcont = syscall.SIGCONT
	sigterm = syscall.SIGTERM
)
