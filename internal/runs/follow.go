package runs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/runstate"
)

// Line is one line that a stage printed.
type Line struct {
	Stage string
	Text  []byte // without the line feed; valid until the next line
}

// FollowLogs yields what the stages of a run print, line by line as it reaches Redis, until the run
// is finished. With a stage name it yields the output of that stage and its instances only, and
// stops when the stage is finished.
//
// A worker writes the output of a running stage to Redis once a second, so that lines come up to a
// second late.
func (s *Service) FollowLogs(ctx context.Context, id ID, name string, yield func(Line) error) error {
	run, err := s.before(ctx, id)
	if err != nil {
		return err
	}

	f := &logFollower{service: s, run: run, yield: yield, logs: make(map[dag.StageID]*followedLog)}

	for {
		n, err := run.Follow(ctx, s.session.Journal, followWait, f.noteEnds)
		if err != nil {
			return stateLost(err)
		}
		if f.done, err = f.finished(name); err != nil {
			return err
		}

		// While the journal is being caught up with, only what happens now is worth a look.
		if n == 0 || f.done {
			if err := f.print(ctx, name); err != nil {
				return err
			}
		}

		if f.done {
			return nil
		}
	}
}

// CopyLog writes what the newest attempt of a stage printed. With follow it continues until the
// stage is finished.
func (s *Service) CopyLog(ctx context.Context, w io.Writer, id ID, name string, follow bool) error {
	if follow {
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

	log, err := s.Log(ctx, id, stage, run.Begun(stage))
	if err == nil {
		_, err = w.Write(log)
	}
	return err
}

// logFollower prints the logs of a run while it is active.
type logFollower struct {
	service *Service
	run     *runstate.Run
	yield   func(Line) error
	logs    map[dag.StageID]*followedLog
	ended   []dag.StageID // since the last print: their last lines are still to be read
	done    bool
}

// noteEnds remembers the stages whose attempts an entry ended.
func (f *logFollower) noteEnds(e Entry) {
	for _, record := range e.Records {
		if record.Attempt > 0 && !slices.Contains(f.ended, record.Stage) {
			f.ended = append(f.ended, record.Stage)
		}
	}
}

// finished reports whether nothing more will be printed.
func (f *logFollower) finished(name string) (bool, error) {
	if f.run.State.Finished() || name == "" {
		return f.run.State.Finished(), nil
	}
	stage, err := Stage(f.run, name)
	if err != nil {
		return false, err
	}
	return f.run.State.State(stage).Terminal(), nil
}

// print yields the new lines of the stages that run or have ended since the last call.
func (f *logFollower) print(ctx context.Context, name string) error {
	stages := f.ended
	f.ended = nil
	for s := range f.run.Active {
		if !slices.Contains(stages, s) {
			stages = append(stages, s)
		}
	}

	slices.Sort(stages) // so that lines of one moment come in a fixed order

	for _, s := range stages {
		if !f.meant(s, name) {
			continue
		}
		if err := f.printStage(ctx, s); err != nil {
			return err
		}
	}

	return nil
}

// meant reports whether a stage has the name, or is an instance of the stage that has.
func (f *logFollower) meant(s dag.StageID, name string) bool {
	mapped, _, _ := f.run.State.Instance(s)
	return name == "" || f.run.Name(s) == name || f.run.Name(mapped) == name
}

func (f *logFollower) printStage(ctx context.Context, s dag.StageID) error {
	attempt := f.run.Begun(s)
	if attempt == 0 {
		return nil
	}

	text, err := f.service.Log(ctx, f.run.ID, s, attempt)
	if err != nil {
		return err
	}

	log := f.logs[s]
	if log == nil || log.attempt != attempt {
		log = &followedLog{attempt: attempt}
		f.logs[s] = log
	}

	_, active := f.run.Active[s]
	for _, line := range log.next(text, !active) {
		if err := f.yield(Line{Stage: f.run.Name(s), Text: line}); err != nil {
			return err
		}
	}

	return nil
}

// followedLog is the log of an attempt as far as it was printed.
type followedLog struct {
	attempt dag.Attempt
	printed []byte // whole lines
}

// overlap is how much of what was printed last is looked for in a log whose middle was left out
// since.
const overlap = 2 << 10

// next returns the lines of a log that are new. Unless the attempt has ended, the last line may be
// incomplete and is left for the next call.
func (l *followedLog) next(log []byte, ended bool) [][]byte {
	whole := log
	if !ended {
		whole = log[:bytes.LastIndexByte(log, '\n')+1]
	}

	fresh, ok := bytes.CutPrefix(whole, l.printed)
	if !ok {
		// The log is full, and its middle was left out. What follows the lines that were printed
		// last is new; if they are gone as well, everything after the note about the gap is.
		last := l.printed[max(0, len(l.printed)-overlap):]
		if at := bytes.LastIndex(whole, last); at >= 0 {
			fresh = whole[at+len(last):]
		} else {
			fresh = whole[max(0, bytes.Index(whole, []byte("\n... ")))+1:]
		}
	}

	l.printed = append(l.printed[:0], whole...)

	if len(fresh) == 0 {
		return nil
	}

	return bytes.Split(bytes.TrimSuffix(fresh, []byte("\n")), []byte("\n"))
}
