package cli

import (
	"bufio"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/seal"
	"github.com/godags/godags/internal/view"
)

func (p Program) statusCommand() *ucli.Command {
	return &ucli.Command{
		Name: "status", Usage: "say how a run stands: what runs, what failed and why, what waits", ArgsUsage: "RUN", Description: runHelp,
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.BoolFlag{Name: "stages", Usage: "list every stage as well"}, outFlag(), colorFlag()},
		Action: p.status,
	}
}

func (p Program) status(c *ucli.Context) error {
	form, err := p.form(c)
	if err != nil {
		return err
	}
	if form.json && c.Bool("stages") {
		return usageError("--stages is for text: `%s graph RUN --format json` lists every stage with its state", p.Call)
	}
	return p.readRun(c, 1, func(ctx context.Context, s *engine.Session, found journal.Summary, out *bufio.Writer) error {
		r, err := loadStatus(ctx, s, found)
		if err != nil {
			return err
		}
		if form.json {
			return p.printStatusJSON(ctx, s, r, out)
		}
		return p.printStatus(ctx, c, s, r, out, form, c.Bool("stages"))
	})
}

// runStatus is a run and what can be said of it beside its journal.
type runStatus struct {
	*view.Run
	word      string            // for its state: that of dag.Run, or stalled, or queued, or cancelling
	expires   time.Time         // when it may be removed; zero: not yet known, or never
	now       time.Time         // when it was looked at
	alive     map[string]bool   // workers
	unserved  map[string]int    // by queue without live workers: stages that wait there
	lacking   map[lack]int      // stages that wait for a handler
	unhealthy map[string]string // by queue, a worker that cannot execute stages, and why
	strange   map[string]bool   // queues to which only workers listen that have another key than whoever submitted the run
}

// lack is a task that no live worker which listens to the queue has a handler for.
type lack struct{ task, queue string }

// lacks returns them in order.
func (r *runStatus) lacks() []lack {
	return slices.SortedFunc(maps.Keys(r.lacking), func(a, b lack) int {
		return cmp.Or(strings.Compare(a.task, b.task), strings.Compare(a.queue, b.queue))
	})
}

func loadStatus(ctx context.Context, s *engine.Session, found journal.Summary) (*runStatus, error) {
	run, err := s.View(ctx, found.Run)
	if err != nil {
		return nil, err
	}
	r := &runStatus{Run: run, word: run.State.Outcome().String(), expires: found.Expires, now: time.Now()}
	switch {
	case run.State.Finished():
		return r, nil
	case isUndriven(found.State):
		r.word = found.State
	case run.State.Cancelling():
		r.word = "cancelling"
	default:
		r.word = dag.Running.String()
	}
	workers, err := s.Journal.Workers(ctx)
	if err != nil {
		return nil, err
	}
	id, err := s.Journal.Identity(ctx, found.Run)
	if err != nil {
		return nil, err
	}
	signer := seal.Signer(id.Signature)
	crews, err := s.Journal.Crews(ctx, workers, found.Run, signer, nil)
	if err != nil {
		return nil, err
	}
	r.lookForWorkers(workers, crews, signer)
	return r, nil
}

// lookForWorkers finds out which workers live, and which queues have none, or none with a handler, although stages wait there. The signer is the fingerprint of the
// run's key.
func (r *runStatus) lookForWorkers(workers []journal.WorkerInfo, crews *journal.Crews, signer string) {
	r.alive, r.unserved, r.strange = make(map[string]bool), make(map[string]int), make(map[string]bool)
	r.lacking, r.unhealthy = make(map[lack]int), make(map[string]string)
	served := make(map[string]bool)
	for _, w := range workers {
		if !w.Alive() {
			continue
		}
		r.alive[w.ID] = true
		for _, q := range w.Queues {
			served[q] = served[q] || w.Serves(r.ID) && w.Key == signer && w.Able()
			if w.Serves(r.ID) && w.Key == signer && w.Unhealthy != "" {
				r.unhealthy[q] = w.ID + ": " + w.Unhealthy
			}
			r.strange[q] = r.strange[q] || w.Serves(r.ID) && w.Key != signer
		}
	}
	if r.word != dag.Running.String() || r.State.Count(dag.Ready) == 0 {
		return
	}
	for s := range r.State.Stages() {
		if r.State.State(s) != dag.Ready {
			continue
		}
		template, _, _ := r.State.Instance(s)
		q, task := r.Spec.Queue(template), r.Spec.Kind(template).Task
		switch {
		case !served[q]:
			r.unserved[q]++
		case crews.Lack(q, task):
			r.lacking[lack{task, q}]++
		}
	}
}

// active returns the stages that are being executed, those first that have been so for the longest.
func (r *runStatus) active() []dag.StageID {
	return slices.SortedFunc(maps.Keys(r.Active), func(a, b dag.StageID) int {
		if order := r.Active[a].Since.Compare(r.Active[b].Since); order != 0 {
			return order
		}
		return int(a) - int(b)
	})
}
