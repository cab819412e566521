package command

import (
	"sync/atomic"
	"time"
)

// stopper stops a session: SIGTERM, and SIGKILL after a grace.
type stopper struct {
	session     session
	revoked     <-chan struct{} // closed: there is no grace
	leaderEnded chan struct{}   // closed when the leader was waited for

	started atomic.Bool
	done    chan struct{} // closed when the session is gone, or was killed
}

func newStopper(s session, revoked <-chan struct{}) *stopper {
	return &stopper{session: s, revoked: revoked, leaderEnded: make(chan struct{}), done: make(chan struct{})}
}

// claim returns true to its first caller, which must then call terminateThenKill.
func (s *stopper) claim() bool { return s.started.CompareAndSwap(false, true) }

// stop stops the session unless another caller does.
func (s *stopper) stop(grace time.Duration) {
	if s.claim() {
		s.terminateThenKill(grace)
	}
}

func (s *stopper) terminateThenKill(grace time.Duration) {
	defer close(s.done)

	// A revoked attempt may run elsewhere already, so its processes must not do anything more.
	if !closed(s.revoked) {
		s.session.terminate()
	}

	gone := false
	waitUntil(func() bool {
		// The leader alone is not enough: a shell dies of SIGTERM at once, and the grace is for the
		// programs that it started.
		gone = closed(s.leaderEnded) && s.session.gone()
		return gone || closed(s.revoked)
	}, grace)

	if !gone {
		s.session.kill()
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// waitUntil returns true as soon as holds does, or false after the limit.
func waitUntil(holds func() bool, limit time.Duration) bool {
	if holds() {
		return true
	}

	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for pause := pollTime; ; pause = min(maxPollTime, pause*3/2) {
		select {
		case <-time.After(pause):
			if holds() {
				return true
			}
		case <-timeout.C:
			return false
		}
	}
}
