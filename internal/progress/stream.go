package progress

import (
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/view"
)

// stream shows a run as [Encoder] writes it. Messages that are not from the journal are objects of type "message" or "waiting",
// without a seq.
type stream struct{ encoder *Encoder }

func (s *stream) observe(buf []byte, run *view.Run, e journal.Entry, _ time.Time) []byte {
	if s.encoder == nil {
		s.encoder = NewEncoder(run)
	}
	return s.encoder.Append(buf, e)
}

func (s *stream) say(buf []byte, m message, now time.Time) []byte {
	kind := "message"
	if m.waiting {
		kind = "waiting"
	}
	buf = appendTime(append(buf, `{"time":`...), now)
	buf = field(buf, "type", kind)
	buf = field(buf, "text", m.text)
	return append(buf, '}', '\n')
}

func (s *stream) draw(buf []byte, _ time.Time) []byte   { return buf }
func (s *stream) finish(buf []byte, _ time.Time) []byte { return buf }
