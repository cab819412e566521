package engine

import (
	"log/slog"
	"testing"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/sign"
)

// A run that is left alone may be gone on with by somebody who dies, or removed so that its id is
// used anew.
func TestARunIsNotLeftAloneForEver(t *testing.T) {
	v := new(Session).NewServer(ServeOptions{Runs: 9})
	take := func() (taken int) {
		for _, run := range []journal.RunID{"alone", "resumed", "removed"} {
			if v.take(run, time.Now()) {
				v.drop(run, nil)
				taken++
			}
		}
		return taken
	}
	v.session.Logger = slog.New(slog.DiscardHandler)
	for _, run := range []journal.RunID{"alone", "resumed", "removed"} {
		v.drop(run, sign.ErrSignature)
	}
	if n := take(); n != 0 {
		t.Fatalf("%d are taken", n)
	}
	v.reconsider(v.leftAlone(), []journal.Ownership{{Run: "alone"}, {Run: "resumed", Left: time.Second}})
	if n := take(); n != 2 || len(v.leftAlone()) != 1 {
		t.Errorf("%d are taken, %v left alone", n, v.leftAlone())
	}
}
