package cli

import (
	"regexp"
	"testing"
)

func TestCancelAsksTheCoordinator(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.execute("cancel", "demo-1").expect(t, 0, "run demo-1 is being cancelled", "`prog status demo-1 --redis ")
	o := f.execute("events", "demo-1")
	if !regexp.MustCompile(`"type":"run.cancelling","reason":"cancelled by [^"@]+@[^"@]+"`).MatchString(o.stdout) {
		t.Errorf("the journal does not say who cancelled it:\n%s", o.stdout)
	}
	f.execute("cancel", "demo-1").expect(t, 0, "run demo-1 is being cancelled") // once more is fine
	if again := f.execute("events", "demo-1"); again != o {
		t.Errorf("it was recorded twice:\n%s", again.stdout)
	}
}

func TestCancelLeavesAFinishedRunAsItIs(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	before := f.execute("events", "demo-1")
	f.execute("cancel", "demo-1").expect(t, 0, "run demo-1 has already finished: it failed")
	if after := f.execute("events", "demo-1"); after != before {
		t.Errorf("the journal has changed:\n%s", after.stdout)
	}
}

func TestCancelSaysThatNobodyDrivesTheRun(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", undriven)
	f.execute("cancel", "demo-1").expect(t, 0, "no coordinator owns the run")
}
