package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/runstate"
)

// LookEvery is the time between two looks at what running attempts have printed. Workers write the
// output to Redis twice a second, so that a line is seen in less than a second.
const LookEvery = 300 * time.Millisecond

// FollowLogs yields what the stages of a run print, line by line, until the run is finished. With a
// stage name it yields the output of that stage and its instances only, and stops when the stage is
// finished. A line comes at most a second after it was printed.
func (s *Service) FollowLogs(ctx context.Context, id ID, name string, yield func(Line) error) error {
	run, err := s.newProjection(ctx, id)
	if err != nil {
		return err
	}

	tail := s.TailLogs()
	if name != "" {
		tail.Only = func(run *runstate.Run, s dag.StageID) bool {
			return run.Name(s) == name || run.Name(run.DAG.GraphStage(s)) == name
		}
	}

	for looked := time.Now(); ; {
		n, err := run.ReadNext(ctx, s.session.Journal, LookEvery, func(e Entry) { tail.Observe(run, e) })
		if err != nil {
			return stateLost(err)
		}
		done, err := logsDone(run, name)
		if err != nil {
			return err
		}

		// Entries may come faster than anybody reads. Lines are still looked for now and then.
		if n > 0 && !done && time.Since(looked) < LookEvery {
			continue
		}

		err = tail.Read(ctx, func(o Output) error {
			for _, line := range o.Lines {
				if err := yield(Line{o.Name, line}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || done {
			return err
		}
		looked = time.Now()
	}
}

// logsDone reports whether a stage, or with no name any stage, will print nothing more.
func logsDone(run *runstate.Run, name string) (bool, error) {
	if name == "" {
		return run.DAG.Finished(), nil
	}
	stage, err := Stage(run, name)
	if err != nil {
		return false, err
	}
	return run.DAG.Finished() || run.DAG.State(stage).Terminal(), nil
}

// LogOptions say which part of the output of a stage is wanted.
type LogOptions struct {
	Attempt int  // from 1; 0: the newest
	Follow  bool // continue until the stage is finished; excludes Attempt
}

// CopyLog writes what an attempt of a stage printed.
func (s *Service) CopyLog(ctx context.Context, w io.Writer, id ID, name string, o LogOptions) error {
	if o.Follow && o.Attempt != 0 {
		return errors.New("logs: Attempt and Follow exclude each other: Follow continues with the newest attempt")
	}

	if o.Follow {
		return s.FollowLogs(ctx, id, name, func(l Line) error {
			_, err := fmt.Fprintf(w, "%s\n", l.Text)
			return err
		})
	}

	run, err := s.Load(ctx, id)
	if err != nil {
		return err
	}

	stage, err := Stage(run, name)
	if err != nil {
		return err
	}

	attempt := run.NewestAttempt(stage)
	if o.Attempt < 0 || o.Attempt > int(attempt) {
		return fmt.Errorf("logs: stage %q has no attempt %d: its last is %d", name, o.Attempt, attempt)
	}
	if o.Attempt > 0 {
		attempt = dag.Attempt(o.Attempt)
	}

	log, err := s.Log(ctx, id, stage, attempt)
	if err == nil {
		_, err = w.Write(log)
	}
	return err
}
