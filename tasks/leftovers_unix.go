//go:build unix

package tasks

import (
	"sync"
	"time"
)

// leftovers are the sessions of commands that have ended and seem to have left nothing: no process
// of their group, and nobody who could still write to their output. A process that has left the
// group and sends its output elsewhere, such as "timeout 1h server >log &", is found only by
// looking through all processes. That would take a tenth of the time of a short command, so it is
// done for all commands of the last second together.
var leftovers endedSessions

type endedSessions struct {
	mu    sync.Mutex
	ended []endedSession
	timer *time.Timer // nil, or looks through ended
}

type endedSession struct {
	session
	at time.Time
}

// staleTime is when the number of a session may belong to another one: a worker may have been
// stopped, and pids are given out in turn.
const staleTime = 5 * time.Second

func (l *endedSessions) add(s session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(l.ended, endedSession{s, time.Now()})
	if l.timer == nil {
		l.timer = time.AfterFunc(lingerTime, l.stop)
	}
}

// stop ends what is left of the sessions that have been added.
func (l *endedSessions) stop() {
	l.mu.Lock()
	ended := l.ended
	l.ended = nil
	l.timer = nil
	l.mu.Unlock()

	left := liveSessions()
	for _, e := range ended {
		if left[e.session] && time.Since(e.at) < staleTime {
			s := &stopper{session: e.session, ended: closedChannel, stopped: make(chan struct{})}
			go s.stop(lingerGrace)
		}
	}
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
