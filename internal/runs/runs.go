// Package runs lists, shows, follows, cancels and removes the runs of one Redis.
//
// It is the only API above the engine: the command line and the Go client call it, and neither of
// them reads the journal itself. Methods that remove expired runs say so. Calls that must be fast,
// such as those of a display, use methods that do not.
//
// A run is active until it is finished: queued, running, cancelling and stalled runs are active.
package runs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/nearest"
)

// ID is the ID of a run. [ParseID] checks one that comes from outside.
type ID = journal.RunID

// Position is the place of an entry in the journal of a run.
type Position = journal.Position

// ParseID checks the text of a run ID: 1 to 100 letters, digits, '.', '_' and '-'.
func ParseID(text string) (ID, error) { return journal.ParseRunID(text) }

// ChooseID checks the text of an ID for a new run. Words with a meaning in commands, such as
// [Latest], are refused.
func ChooseID(text string) (ID, error) { return journal.ChooseRunID(text) }

// Latest is the word that names the newest run.
const Latest = journal.Latest

// searched is the number of runs, newest first, among which [Service.Find] looks for a prefix.
const searched = 1000

// Service answers questions about runs and changes them. It is safe for concurrent use.
type Service struct {
	session *engine.Session
}

// New returns the service of a session. The caller closes the session.
func New(s *engine.Session) *Service { return &Service{s} }

// Summary is a run as a list shows it.
type Summary struct {
	ID        ID
	Pipeline  string
	State     string // see the states in package api
	Stages    int
	Outcomes  *api.Outcomes // nil while the run is active
	Submitted time.Time
	Finished  time.Time // zero while the run is active
	Expires   time.Time // when the run may be removed; zero: it is active, or kept for ever
}

// Elapsed returns the time from the submission of the run to its end, or to now while it is active.
func (s Summary) Elapsed(now time.Time) time.Duration {
	if !s.Finished.IsZero() {
		now = s.Finished
	}

	// now is of the local clock, which may be behind the clock of Redis.
	return max(0, now.Sub(s.Submitted))
}

// API returns the JSON form of the run.
func (s Summary) API(now time.Time) api.Run {
	run := api.Run{
		Run:      string(s.ID),
		Pipeline: s.Pipeline,
		State:    s.State,
		Stages:   api.Counts{Total: s.Stages, Outcomes: s.Outcomes},
		Started:  s.Submitted.UTC(),
		Seconds:  s.Elapsed(now).Seconds(),
	}

	if !s.Finished.IsZero() {
		at := s.Finished.UTC()
		run.Finished = &at
	}

	return run
}

func summaryOf(s journal.Summary) Summary {
	summary := Summary{
		ID:        s.Run,
		Pipeline:  s.Pipeline,
		State:     s.State,
		Stages:    s.Stages,
		Submitted: s.Submitted,
		Finished:  s.Finished,
		Expires:   s.Expires,
	}

	if c := s.Counts; c != nil {
		summary.Outcomes = &api.Outcomes{
			Succeeded: c[api.Succeeded],
			Failed:    c[api.Failed],
			Skipped:   c["skipped"],
			Cancelled: c[api.Cancelled],
		}
	}

	return summary
}

// ErrNotKept says that this Redis keeps no runs of earlier commands: it lives in this process.
var ErrNotKept = errors.New("no redis-server on PATH: runs of earlier commands were not kept; " +
	"install redis-server or give --redis")

// UnknownError says that no run has the ID or prefix.
type UnknownError struct {
	Word string
	Near string // a run ID that is spelled much like Word, or empty
	None bool   // there are no runs at all
}

// Error names the word, and suggests the nearest run ID.
func (e *UnknownError) Error() string {
	if e.Near != "" {
		return fmt.Sprintf("unknown run %q: did you mean %s?", e.Word, e.Near)
	}
	return fmt.Sprintf("unknown run %q", e.Word)
}

// AmbiguousError says that a prefix fits several runs.
type AmbiguousError struct {
	Word    string
	Matches []Summary // at least two, newest first
}

// shownMatches is the number of runs that an [AmbiguousError] names.
const shownMatches = 10

// Error lists the first matches.
func (e *AmbiguousError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d run IDs begin with %q: write more of it", len(e.Matches), e.Word)
	for i, r := range e.Matches {
		if i == shownMatches {
			fmt.Fprintf(&b, "\n  ... and %d more", len(e.Matches)-shownMatches)
			break
		}
		fmt.Fprintf(&b, "\n  %s  %s", r.ID, r.State)
	}

	return b.String()
}

// Find returns the run that a word names: a run ID, a unique prefix of one, or [Latest]. Expired
// runs are removed first.
//
// The error is [ErrNotKept], an [*UnknownError], an [*AmbiguousError], an [*InvalidIDError], or
// that of Redis. If the journal is [Unreadable], the summary
// has what is known without it.
func (s *Service) Find(ctx context.Context, word string) (Summary, error) {
	if !s.session.Keeps() {
		return Summary{}, ErrNotKept
	}

	id, err := ParseID(word)
	if err != nil {
		return Summary{}, &InvalidIDError{err}
	}

	// Before the lookup: an expired run must not be found and then vanish.
	s.session.Sweep(ctx, "")

	// A whole ID wins over a prefix of another one, but nothing wins over the word for the newest
	// run.
	if word != Latest {
		found, err := s.session.Journal.Summary(ctx, id)
		if !errors.Is(err, journal.ErrNotFound) {
			return summaryOf(found), err
		}
	}

	list, err := s.session.Journal.Runs(ctx, searched, nil)
	if err != nil {
		return Summary{}, err
	}
	if len(list) > 0 && word == Latest {
		return summaryOf(list[0]), nil
	}

	return pick(word, list)
}

// Get returns the run that has an ID. The error is [ErrNotFound], or that of Redis. If the journal
// is [Unreadable], the summary holds what is known nevertheless.
func (s *Service) Get(ctx context.Context, id ID) (Summary, error) {
	found, err := s.session.Journal.Summary(ctx, id)
	return summaryOf(found), err
}

// InvalidIDError says that a word cannot be a run ID.
type InvalidIDError struct{ err error }

func (e *InvalidIDError) Error() string { return e.err.Error() }

// Unwrap returns the reason.
func (e *InvalidIDError) Unwrap() error { return e.err }

// pick returns the only run whose ID begins with the word.
func pick(word string, list []journal.Summary) (Summary, error) {
	var matches []Summary
	// A misspelled "latest" is suggested too.
	names := []string{Latest}
	for _, r := range list {
		names = append(names, string(r.Run))
		if strings.HasPrefix(string(r.Run), word) {
			matches = append(matches, summaryOf(r))
		}
	}

	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		return Summary{}, &UnknownError{Word: word, Near: nearest.Name(word, names), None: len(list) == 0}
	}

	return Summary{}, &AmbiguousError{word, matches}
}

// Filter selects runs. The zero value selects all; [Service.Prune] refuses it.
type Filter struct {
	State    string // one of [api.RunStates]; empty: any
	Pipeline string // its name; empty: any
	Limit    int    // at most this many, newest first; 0: all

	// Age is the least time since the run finished, or since its submission while it is active.
	// Nil: any.
	Age *time.Duration
}

// Selects reports whether the filter selects some runs only. The limit does not count.
func (f Filter) Selects() bool { return f.State != "" || f.Pipeline != "" || f.Age != nil }

// match reports whether the filter selects a run.
func (f Filter) match(r journal.Summary) bool {
	// All times are of the clock of Redis, so that a wrong local clock selects no other runs.
	at := r.Finished
	if at.IsZero() {
		at = r.Submitted
	}
	return (f.State == "" || r.State == f.State) &&
		(f.Pipeline == "" || r.Pipeline == f.Pipeline) &&
		(f.Age == nil || at.Before(r.Asked.Add(-*f.Age)))
}

// List returns the runs that match, newest first, and whether there are more than the limit.
// Expired runs are removed first.
func (s *Service) List(ctx context.Context, f Filter) (list []Summary, more bool, err error) {
	s.session.Sweep(ctx, "")

	limit := math.MaxInt
	if f.Limit > 0 {
		limit = f.Limit + 1 // one more, to know whether there are more
	}

	found, err := s.session.Journal.Runs(ctx, limit, f.match)
	if err != nil {
		return nil, false, err
	}

	if f.Limit > 0 && len(found) > f.Limit {
		found = found[:f.Limit]
		more = true
	}

	for _, r := range found {
		list = append(list, summaryOf(r))
	}
	return list, more, nil
}

// Cancel asks the coordinator of a run to cancel it: no more stages start, and running stages are
// asked to stop. The reason is recorded. Cancel returns the summary after the request. A finished
// run does not change, and is not an error.
func (s *Service) Cancel(ctx context.Context, id ID, reason string) (Summary, error) {
	if _, err := s.session.Journal.RequestCancel(ctx, id, reason); err != nil {
		return Summary{}, err
	}
	summary, err := s.session.Journal.Summary(ctx, id)
	return summaryOf(summary), err
}

// Newest returns the newest runs. Unlike [Service.List] it removes nothing, so that it is fast.
func (s *Service) Newest(ctx context.Context, limit int) ([]Summary, error) {
	found, err := s.session.Journal.Runs(ctx, limit, nil)
	if err != nil {
		return nil, err
	}

	list := make([]Summary, len(found))
	for i, r := range found {
		list[i] = summaryOf(r)
	}
	return list, nil
}

// Redis describes the Redis that the runs are in.
type Redis struct {
	Kind     string // external, private or in-process
	External bool   // a URL named it, so that other processes may use it
	Keeps    bool   // runs are still known to later commands
	Note     string // one line for people
}

// Redis returns where the runs are.
func (s *Service) Redis() Redis {
	conn := s.session.Conn
	return Redis{
		Kind:     conn.Kind.String(),
		External: s.session.External(),
		Keeps:    s.session.Keeps(),
		Note:     conn.Note,
	}
}
