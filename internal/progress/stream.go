package progress

import (
	"time"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// stream shows a run as lines of JSON: its events, and messages that are not in the journal, which
// have no seq.
type stream struct{ events []api.Event }

func (s *stream) observe(buf []byte, run *runstate.Run, e journal.Entry, _ time.Time) []byte {
	s.events = run.Events(e, s.events[:0])
	for _, event := range s.events {
		buf = event.Append(buf)
	}
	return buf
}

func (s *stream) say(buf []byte, m message, now time.Time) []byte {
	return api.Message{Time: now, Type: string(m.kind), Stage: m.stage, Attempt: int(m.attempt), Text: m.text}.Append(buf)
}

func (s *stream) draw(buf []byte, _ time.Time) []byte   { return buf }
func (s *stream) finish(buf []byte, _ time.Time) []byte { return buf }
