package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/internal/faulttest"
)

// run is a run of a pipeline, and the command that drives it.
type run struct {
	*process
	id     string
	stages []stage
}

// run starts a command that runs stages.
func (w *world) run(stages []stage, args ...string) *run {
	w.t.Helper()
	return w.runAs(w.id, w.redis.URL(), stages, args...)
}

// runAs is run under an id, by a command that finds Redis at url.
func (w *world) runAs(id, url string, stages []stage, args ...string) *run {
	w.t.Helper()
	w.write(id+".json", stages)
	return &run{w.start(url, runCommand(id, args...)...), id, stages}
}

func runCommand(id string, args ...string) []string {
	return append([]string{"coordinator", "run", id + ".json", "--run-id", id, "--progress", "json"}, args...)
}

// again starts a second command that runs the same under the same id.
func (r *run) again() *process {
	r.w.t.Helper()
	return r.w.start(r.w.redis.URL(), runCommand(r.id)...)
}

// resume starts a command that resumes the run.
func (r *run) resume() *process {
	r.w.t.Helper()
	return r.w.start(r.w.redis.URL(), "coordinator", "resume", r.id, "--progress", "json")
}

// progressed waits until some stages have succeeded.
func (r *run) progressed(stages int) {
	r.w.t.Helper()
	r.w.await(fmt.Sprintf("%d stages that have succeeded", stages), func() bool {
		out, err := r.w.command("events", r.id)
		return err == nil && strings.Count(out, `"stage.succeeded"`) >= stages
	})
}

// started returns when an attempt of a stage was started, once it was.
func (r *run) started(stage string, attempt int) time.Time {
	r.w.t.Helper()
	return r.find("stage.started", stage, attempt)
}

// succeeded waits until the first attempt of a stage has succeeded.
func (r *run) succeeded(stage string) {
	r.w.t.Helper()
	r.find("stage.succeeded", stage, 1)
}

func (r *run) find(kind, stage string, attempt int) (at time.Time) {
	r.w.t.Helper()
	r.w.await(fmt.Sprintf("%s of attempt %d of %s", kind, attempt, stage), func() bool {
		out, err := r.w.command("events", r.id)
		if err != nil {
			return false
		}
		events, err := faulttest.Parse(out)
		i := slices.IndexFunc(events, func(e faulttest.Event) bool { return e.Type == kind && e.Stage == stage && e.Attempt == attempt })
		if err != nil || i < 0 {
			return false
		}
		at = events[i].Time
		return true
	})
	return at
}

// succeeds waits for the end of the command and applies the rules to the run, which must have
// succeeded.
func (r *run) succeeds(faults int, bound time.Duration) faulttest.Trial {
	r.w.t.Helper()
	r.exits(0)
	return r.check(faults, bound)
}

// check applies the rules to the run, which has ended. Where there were no faults, those of the
// machine count.
func (r *run) check(faults int, bound time.Duration) faulttest.Trial {
	r.w.t.Helper()
	if faults == 0 {
		if faults = r.w.silences(); faults > 0 {
			r.w.t.Attr("silence", fmt.Sprintf("%d times a worker had no heartbeat for more than %s", faults, tooLong))
		}
	}
	trial, errs := judge(r.w, r.id, r.stages, faults, bound)
	for _, err := range errs {
		r.w.t.Error(err)
	}
	if r.w.t.Failed() {
		text, _ := r.w.command("events", r.id)
		r.w.t.Logf("the journal of %s:\n%s", r.id, text)
	}
	return trial
}

// lost finds out whether as many attempts were lost with their workers as must be, and no more than
// one for each silence of another worker.
func (r *run) lost(want int) {
	r.w.t.Helper()
	if n, silences := lost(r.w.events(r.id)), r.w.silences(); n < want || n > want+silences {
		r.w.t.Errorf("%s: %d attempts were lost, want %d; %d silences", r.id, n, want, silences)
	}
}

// ran finds out whether a stage has noted so often that it ran.
func (w *world) ran(stage string, want int) {
	w.t.Helper()
	n := 0
	for line := range strings.Lines(read(w.path("ran"))) {
		if strings.TrimSpace(line) == stage {
			n++
		}
	}
	if n != want {
		w.t.Errorf("%s was executed %d times, want %d", stage, n, want)
	}
}
