package e2e

import "testing"

// The window is closed in the middle of a run: its program gets SIGHUP, and what it prints goes
// nowhere.
func TestAClosedTerminalHandsTheRunOver(t *testing.T) {
	t.Parallel()
	w := newHeldWorld(t)
	serve := w.start("coordinator", "serve")
	w.says(serve, "coordinator serves") // else no coordinator can take the run over
	run, window := w.onTerminal("coordinator", "run", "held.json", "--run-id", "held")
	w.awaitHeld()
	if err := window.Close(); err != nil {
		t.Fatal(err)
	}
	w.ended(run, 129)
	w.says(serve, "run adopted")
	w.endHeld(1, w.start("coordinator", "attach", "held"))
}

// Without a coordinator that could resume it, the run is cancelled in order, and its stages are
// stopped.
func TestAClosedTerminalCancelsARunThatNobodyElseCouldDrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	w.write("held.json", held)
	run, window := w.onTerminal("coordinator", "run", "held.json", "--run-id", "held", "--concurrency", "2")
	w.awaitHeld()
	if err := window.Close(); err != nil {
		t.Fatal(err)
	}
	w.ended(run, 129)
	w.dead("victim.1")
	w.dead("witness.1")
	w.awaitState("held", "cancelled")
}
