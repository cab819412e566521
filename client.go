package godags

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/spec"
)

// Client submits runs to a Redis, and lists, follows and changes the runs that are there. Its
// methods may be called from several goroutines. The caller closes it.
//
// A run is named by its whole ID. A run that the Redis does not have gives [ErrUnknownRun].
//
// A client does not execute anything: the Redis needs a worker (`worker`, or [Client.Worker] in
// this process) and a coordinator (`coordinator serve`, or [Client.Coordinator] in this process).
type Client struct {
	session  *engine.Session
	runs     *runs.Service
	options  clientOptions
	failures *failures // of its workers
}

// ClientOption is an option of [Open]. It concerns the client, its workers and its coordinators.
type ClientOption interface{ applyClient(*clientOptions) }

type clientOptions struct {
	workerOptions
	queues []string
	name   string
}

type clientOption func(*clientOptions)

func (f clientOption) applyClient(o *clientOptions) { f(o) }

// Open connects to a Redis: redis://, rediss://, unix:// or redis-sentinel://. It waits up to 5
// seconds for an answer.
//
// The key that signs pipelines is the environment variable GODAGS_KEY, of at least 16 bytes.
// Without the variable it is the file godags/key in the settings folder of the user
// ([os.UserConfigDir]), which is made when it is first needed. A key that cannot be used gives an
// error.
func Open(ctx context.Context, url string, opts ...ClientOption) (*Client, error) {
	if url == "" {
		return nil, errors.New("godags.Open needs the URL of a Redis, such as redis://localhost:6379")
	}

	o := clientOptions{workerOptions: defaultWorkerOptions(), queues: []string{spec.DefaultQueue}}
	problems := apply(opts, func(option ClientOption) { option.applyClient(&o) })
	if err := errors.Join(append(problems, o.check()...)...); err != nil {
		return nil, fmt.Errorf("godags.Open: %w", err)
	}

	// Without a state folder: that is for a private Redis, which a service does not share.
	session, err := engine.Open(ctx, engine.Config{Redis: url, Logger: o.logger})
	if err != nil {
		return nil, err
	}

	// Workers and coordinators need the key as well. They would fail when the service has started.
	if err := session.CheckKey(); err != nil {
		return nil, errors.Join(err, session.Close())
	}

	return &Client{session, runs.New(session), o, newFailures()}, nil
}

// check returns what is wrong with the options.
func (o *clientOptions) check() []error {
	problems := o.workerOptions.check(1)
	if len(o.queues) == 0 {
		problems = append(problems, errors.New("Queues(): a worker needs at least one queue"))
	}
	for _, name := range o.queues {
		if err := spec.CheckQueue(name); err != nil {
			problems = append(problems, fmt.Errorf("Queues: %w", err))
		}
	}
	return problems
}

// Close closes the connections. Workers and coordinators of the client must have stopped.
func (c *Client) Close() error { return c.session.Close() }

// Submit submits a pipeline and returns the ID of its run, without waiting for it. A run of the
// same pipeline that has this ID already is left as it is. So with a [RunID] Submit can be repeated
// after an error.
//
// Parameters that do not fit give a [*ParamError]. If the run that has the ID has another pipeline
// or other parameters, the error is [ErrRunExists]. Other errors say that the pipeline or an option
// is wrong, or that Redis did not answer. Then the run may have been submitted although there is an
// error: an ID that is returned beside the error can be given to [Client.Status] to find out.
func (c *Client) Submit(ctx context.Context, p *Pipeline, opts ...SubmitOption) (string, error) {
	o := defaultSubmitOptions()
	problems := apply(opts, func(option SubmitOption) { option.applySubmit(&o) })
	if err := errors.Join(append(problems, o.check()...)...); err != nil {
		return "", fmt.Errorf("godags.Submit: %w", err)
	}

	definition, err := prepare(p, o)
	if err != nil {
		return "", err
	}

	// The client reads outputs from the caches that the pipeline chose.
	c.session.Stores.Add(definition.Caches)

	// The run has no owner yet. A coordinator takes it at its next scan, within half a second.
	id, err := c.session.Submit(ctx, engine.RunOptions{ID: journal.RunID(o.id), Spec: definition.Spec, Keep: o.keep})
	return string(id), err
}

// ErrRunExists says that the ID of a new run is the ID of a run with another pipeline or other
// parameters.
var ErrRunExists = journal.ErrExists

// Wait waits until a run is finished and returns its report. If the run did not succeed, errors.As
// finds a [*RunError] in the error beside the report. When ctx is done, Wait returns and the run
// continues.
func (c *Client) Wait(ctx context.Context, run string) (*Report, error) {
	id, err := parseRun(run)
	if err != nil {
		return nil, err
	}

	finished, err := c.session.Attach(ctx, engine.RunOptions{ID: id})
	if err != nil {
		return nil, unknownRun(run, err)
	}

	// The run is finished, so its report is read even if ctx is done by now.
	return c.report(context.WithoutCancel(ctx), finished)
}

// Report returns the report of a finished run, as [Client.Wait] does, without waiting. An active
// run gives [ErrActive].
func (c *Client) Report(ctx context.Context, run string) (*Report, error) {
	id, err := parseRun(run)
	if err != nil {
		return nil, err
	}

	found, err := c.session.View(ctx, id)
	if err != nil {
		return nil, unknownRun(run, err)
	}
	if !found.DAG.Finished() {
		return nil, fmt.Errorf("run %s: %w", id, ErrActive)
	}
	return c.report(ctx, found)
}

func (c *Client) report(ctx context.Context, finished *runstate.Run) (*Report, error) {
	report, err := newReport(ctx, c.session, finished)
	c.failures.explain(err)
	return report, err
}

// ErrUnknownRun says that the Redis has no run of an ID.
var ErrUnknownRun = errors.New("unknown run")

// unknownRun makes errors about a missing run match [ErrUnknownRun].
func unknownRun(run string, err error) error {
	if errors.Is(err, journal.ErrNotFound) {
		return fmt.Errorf("%w %.100q", ErrUnknownRun, run)
	}
	return err
}

// parseRun checks a run ID, which may be the input of a user of the service.
func parseRun(run string) (journal.RunID, error) {
	id, err := journal.ParseRunID(run)
	if err != nil {
		return "", fmt.Errorf("%w %.100q", ErrUnknownRun, run) // no run can have this ID
	}
	return id, nil
}

// Event is something that happened in a run. Fields that do not apply are empty. Its JSON form is
// that of the command `events`.
type Event struct {
	Seq  int       // number of the event in its run, from 1
	Time time.Time // of the Redis clock, to the millisecond
	Type EventType

	Stage   string // of stage events
	Attempt int    // from 1
	Worker  string // the worker that reported it; empty for decisions of the coordinator
	Took    time.Duration
	Note    string    // the last line that the attempt printed
	Error   string    // of stage.failed and stage.retrying
	Reason  string    // of stage.lost, stage.cancelled and run.cancelling
	Cause   string    // of stage.skipped: the stage because of which it is skipped
	Next    time.Time // of stage.retrying: when the next attempt is due
	State   RunState  // of run.finished
}

// MarshalJSON gives the duration in seconds, and leaves out what is empty.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(api.Event{
		Seq:     e.Seq,
		Time:    e.Time,
		Type:    string(e.Type),
		Stage:   e.Stage,
		Attempt: e.Attempt,
		Worker:  e.Worker,
		Seconds: e.Took.Seconds(),
		Note:    e.Note,
		Error:   e.Error,
		Reason:  e.Reason,
		Cause:   e.Cause,
		Next:    e.Next,
		State:   string(e.State),
	})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Event) UnmarshalJSON(text []byte) error {
	var form api.Event
	if err := json.Unmarshal(text, &form); err != nil {
		return err
	}
	*e = newEvent(form)
	return nil
}

// Follow yields the events of a run from its first to its last, and waits for those to come. It
// ends when the run is finished, or with an error, which comes with a zero event. When ctx is done,
// it ends with the error of ctx.
func (c *Client) Follow(ctx context.Context, run string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		id, err := parseRun(run)
		if err != nil {
			yield(Event{}, err)
			return
		}

		for events, err := range c.runs.Events(ctx, id, runs.EventOptions{Follow: true}) {
			if err != nil {
				yield(Event{}, unknownRun(run, err))
				return
			}

			for _, e := range events {
				if !yield(newEvent(e), nil) {
					return
				}
			}
		}
	}
}

func newEvent(e api.Event) Event {
	// Field by field: the JSON form may get fields that are no promise of this package.
	return Event{
		Seq:     e.Seq,
		Time:    e.Time,
		Type:    EventType(e.Type),
		Stage:   e.Stage,
		Attempt: e.Attempt,
		Worker:  e.Worker,
		Took:    time.Duration(e.Seconds * float64(time.Second)).Round(time.Microsecond),
		Note:    e.Note,
		Error:   e.Error,
		Reason:  e.Reason,
		Cause:   e.Cause,
		Next:    e.Next,
		State:   RunState(e.State),
	}
}

// Cancel asks the coordinator of a run to cancel it: nothing more starts, and running stages are
// asked to stop. The reason is recorded. A finished run stays as it is, and that is not an error.
//
// A run without a coordinator stays queued or stalled until a coordinator takes it, and is
// cancelled then. Until then its waiting stages have [ReasonCancelling].
func (c *Client) Cancel(ctx context.Context, run, reason string) error {
	id, err := parseRun(run)
	if err != nil {
		return err
	}
	_, err = c.runs.Cancel(ctx, id, reason)
	return unknownRun(run, err)
}

// ErrActive says that a run is not finished, and so can neither be retried nor has a report.
var ErrActive = engine.ErrActive

// Retry executes again what failed or was cancelled in a finished run, and everything after it.
// What succeeded is kept. Retry does not wait: a coordinator that serves the Redis takes the run.
// An active run gives [ErrActive].
func (c *Client) Retry(ctx context.Context, run string) error {
	id, err := parseRun(run)
	if err != nil {
		return err
	}
	return unknownRun(run, c.session.RequestRetry(ctx, id, ""))
}

// RunInfo is a run in a list.
type RunInfo struct {
	ID       string    `json:"run"`
	Pipeline string    `json:"pipeline"`
	State    RunState  `json:"state"`
	Stages   Counts    `json:"stages"`
	Started  time.Time `json:"started"`           // when it was submitted
	Finished time.Time `json:"finished,omitzero"` // zero while the run is active
}

// Counts are numbers of stages. A stage made by [Map] counts as one, and so does each of its
// instances as soon as its input is known.
type Counts struct {
	Total     int `json:"total"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
	Cancelled int `json:"cancelled"`
}

func newCounts(total int, outcomes *api.Outcomes) Counts {
	if outcomes == nil {
		return Counts{Total: total}
	}
	return Counts{total, outcomes.Succeeded, outcomes.Failed, outcomes.Skipped, outcomes.Cancelled}
}

// ListOptions say which runs are listed. The zero value means all.
type ListOptions struct {
	State    RunState // empty: any
	Pipeline string   // its name; empty: any
	Limit    int      // at most this many, the newest; 0: all
}

// List returns runs, newest first. Of an active run it has the number of stages that were
// submitted, and no other counts: [Client.Status] has them.
func (c *Client) List(ctx context.Context, o ListOptions) ([]RunInfo, error) {
	found, _, err := c.runs.List(ctx, runs.Filter{State: string(o.State), Pipeline: o.Pipeline, Limit: o.Limit})
	if err != nil {
		return nil, err
	}

	list := make([]RunInfo, len(found))
	for i, r := range found {
		list[i] = newRunInfo(r)
	}
	return list, nil
}

func newRunInfo(r runs.Summary) RunInfo {
	return RunInfo{
		ID:       string(r.ID),
		Pipeline: r.Pipeline,
		State:    RunState(r.State),
		Stages:   newCounts(r.Stages, r.Outcomes),
		Started:  r.Submitted,
		Finished: r.Finished,
	}
}

// RunStatus is a run at one moment. Its JSON form has the fields of `status --output json`.
type RunStatus struct {
	RunInfo
	Params   map[string]json.RawMessage `json:"params,omitempty"`
	Active   []ActiveStage              `json:"active"`   // longest running first
	Waiting  []WaitingStage             `json:"waiting"`  // in the order of the pipeline
	Failures []*StageError              `json:"failures"` // in the order in which they failed
}

// ActiveStage is a stage that a worker executes now. A worker that died is named until another
// worker gets the attempt.
type ActiveStage struct {
	Stage   string    `json:"stage"`
	Attempt int       `json:"attempt"`
	Worker  string    `json:"worker"`
	Since   time.Time `json:"since"`
}

// WaitingStage is a stage that is neither running nor finished, and why.
type WaitingStage struct {
	Stage  string `json:"stage"`
	State  string `json:"state"` // waiting, ready or retrying
	Reason Reason `json:"reason"`
}

// Reason says why a stage is not running.
type Reason struct {
	Code ReasonCode `json:"code"`
	Text string     `json:"text"` // one sentence for people
}

// Status returns the state of a run: what runs, what waits and why, and what failed.
// [Client.Stages] returns all stages.
func (c *Client) Status(ctx context.Context, run string) (*RunStatus, error) {
	id, err := parseRun(run)
	if err != nil {
		return nil, err
	}

	found, err := c.runs.Get(ctx, id)
	if err != nil {
		return nil, unknownRun(run, err)
	}

	status, err := c.runs.Status(ctx, found)
	if err != nil {
		return nil, unknownRun(run, err)
	}
	return newRunStatus(status.API("")), nil
}

func newRunStatus(form api.Status) *RunStatus {
	s := &RunStatus{
		RunInfo: RunInfo{
			ID:       form.Run.Run,
			Pipeline: form.Pipeline,
			State:    RunState(form.State),
			Stages:   newCounts(form.Stages.Total, form.Stages.Outcomes),
			Started:  form.Started,
		},
		Params:   form.Params,
		Active:   make([]ActiveStage, len(form.Active)),
		Waiting:  make([]WaitingStage, len(form.Waiting)),
		Failures: make([]*StageError, len(form.Failures)),
	}
	if form.Finished != nil {
		s.Finished = *form.Finished
	}

	for i, a := range form.Active {
		s.Active[i] = ActiveStage(a)
	}

	for i, w := range form.Waiting {
		s.Waiting[i] = WaitingStage{w.Stage, w.State, Reason{ReasonCode(w.Reason.Code), w.Reason.Text}}
	}

	for i, f := range form.Failures {
		s.Failures[i] = &StageError{Stage: f.Stage, Attempt: f.Attempt, Message: f.Error}
	}
	return s
}

// StageStatus is a stage at one moment.
type StageStatus struct {
	Stage string `json:"stage"`
	// waiting, ready, running, retrying, succeeded, failed, skipped or cancelled
	State   string  `json:"state"`
	Attempt int     `json:"attempt"`           // the newest that was started; 0: none
	Seconds float64 `json:"seconds,omitempty"` // duration of the attempt that ended the stage
	Note    string  `json:"note,omitempty"`    // the last line that an attempt printed
}

// Stages returns all stages of a run in the order of the pipeline, each after its instances.
func (c *Client) Stages(ctx context.Context, run string) ([]StageStatus, error) {
	id, err := parseRun(run)
	if err != nil {
		return nil, err
	}

	found, err := c.runs.Load(ctx, id)
	if err != nil {
		return nil, unknownRun(run, err)
	}

	stages := make([]StageStatus, 0, found.DAG.Total())
	for s := range dag.StageID(found.Spec.Graph.Len()) {
		for s := range found.WithInstances(s) {
			stages = append(stages, StageStatus{
				Stage:   found.Name(s),
				State:   found.DAG.State(s).String(),
				Attempt: int(found.NewestAttempt(s)),
				Seconds: found.LastDuration(s).Seconds(),
				Note:    found.Notes[s],
			})
		}
	}
	return stages, nil
}

// ErrUnknownStage says that a run has no stage of a name.
var ErrUnknownStage = errors.New("unknown stage")

// LogOptions say which part of the output of a stage is wanted. The zero value means what the
// newest attempt has printed until now.
type LogOptions struct {
	Attempt int  // from 1; 0: the newest
	Follow  bool // continue until the stage is finished; excludes Attempt
}

// Logs writes what an attempt of a stage printed. The instances of a stage "fetch" made by [Map]
// are "fetch[0]", "fetch[1]" and so on. A stage that the run does not have gives [ErrUnknownStage].
func (c *Client) Logs(ctx context.Context, w io.Writer, run, stage string, o LogOptions) error {
	id, err := parseRun(run)
	if err != nil {
		return err
	}

	err = c.runs.CopyLog(ctx, w, id, stage, runs.LogOptions(o))
	var unknown *runs.UnknownStageError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w: %w", ErrUnknownStage, err)
	}
	return unknownRun(run, err)
}
