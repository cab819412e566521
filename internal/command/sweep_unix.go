//go:build unix

package command

import (
	"sync"
	"time"
)

// sweep looks for processes of sessions that seemed to be gone.
//
// A process that has left the group of its session and writes elsewhere, such as "timeout 1h server
// >log &", shows neither in the group nor at the pipe. Only a search through all processes finds
// it. For each command that would take a tenth of the time of a short one, so one search serves all
// commands of a second.
var sweep sweeper

type sweeper struct {
	mu    sync.Mutex
	ended []endedSession
	timer *time.Timer // nil if no search is due
}

type endedSession struct {
	session
	at time.Time
}

// staleTime is when the number of a session may belong to another session. Process IDs are assigned
// in turn, and a worker may have been stopped in between.
const staleTime = 5 * time.Second

// add has the session searched for in a moment.
func (l *sweeper) add(s session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(l.ended, endedSession{s, time.Now()})
	if l.timer == nil {
		l.timer = time.AfterFunc(lingerTime, l.run)
	}
}

// run stops what is left of the sessions that were added.
func (l *sweeper) run() {
	l.mu.Lock()
	ended := l.ended
	l.ended = nil
	l.timer = nil
	l.mu.Unlock()

	live := liveSessions()
	for _, e := range ended {
		// A stale number is not touched: killing a process of another program is worse than
		// leaving one of a stage.
		if live[e.session] && time.Since(e.at) < staleTime {
			s := newStopper(e.session, nil)
			close(s.leaderEnded)
			go s.stop(lingerGrace)
		}
	}
}
