package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/journal"
)

// carries returns the stages of the only task that is in the queue, and takes it.
func (w *world) carries() string {
	w.Helper()
	w.pass(time.Millisecond)
	w.queue.mu.Lock()
	if len(w.queue.order) != 1 {
		w.Fatalf("in the queue: %v", w.queue.order)
	}
	var names []string
	for _, item := range w.queue.bundles[w.queue.order[0]].Items {
		names = append(names, fmt.Sprintf("%s#%d", w.spec.Graph.Name(item.Stage), item.Attempt))
	}
	w.queue.mu.Unlock()
	w.queue.take()
	return strings.Join(names, " ")
}

// took is a worker that executes a stage, which takes some time.
func (w *world) took(name string, d time.Duration) {
	w.Helper()
	if !w.claim("w1", name, 1) {
		w.Fatalf("the claim of %s was refused", name)
	}
	a := w.attempt(name, 1)
	_, err := w.journal.Report(w.Context(), journal.Claim{Run: w.run, Worker: "w1", Token: w.tokens[a]}, []journal.Outcome{
		{Record: journal.Record{Type: journal.StageSucceeded, Stage: a.Stage, Attempt: 1, Duration: d}}})
	w.must(err)
}

// wide is n stages that nothing must precede, behind a first one.
func wide(n int) string {
	text := "a"
	for i := range n {
		text += fmt.Sprintf("; s%d: a", i)
	}
	return text
}

func TestBundlesGrowWhileStagesAreShort(t *testing.T) {
	simulateBundles(t, wide(40), func(w *world) {
		if got := w.carries(); got != "a#1" {
			w.Fatal("of an unknown stage: " + got)
		}
		w.took("a", time.Microsecond)
		w.pass(time.Millisecond)
		if got := len(w.queue.bundles[w.queue.order[0]].Items); got != 4 {
			w.Fatalf("after one short stage: %d", got)
		}
	})
}

func TestFewShortStagesWaitForCompanyWhileAllWorkersAreBusy(t *testing.T) {
	simulateBundles(t, "a; b: a; c: a; d: b; e: b; f: c; g: c; h: d e f g", func(w *world) {
		w.carries()
		w.took("a", time.Microsecond)
		if got := w.carries(); got != "b#1 c#1" {
			w.Fatal(got)
		}
		w.took("b", time.Microsecond)
		w.sent() // c may go on: the only worker has it
		w.took("c", time.Microsecond)
		if got := w.carries(); got != "d#1 e#1 f#1 g#1" {
			w.Fatal(got)
		}
	})
}

func TestFewStagesWaitForCompanyWhileABundleWaitsForEachWorker(t *testing.T) {
	simulateBundles(t, "a; b: a; c: a; d: b; e: b; f: c; g: c; h: d; i: d; j: e; k: e", func(w *world) {
		const short = 2 * time.Millisecond
		w.carries()
		for _, step := range []struct{ ends, sent string }{{"a", "b#1 c#1"}, {"b", "d#1 e#1"}, {"c", "f#1 g#1"}} {
			w.took(step.ends, short)
			if got := w.carries(); got != step.sent {
				w.Fatal(got)
			}
		}
		w.took("d", short)
		w.sent() // the only worker has e, and f and g come next
		w.took("e", short)
		if got := w.carries(); got != "h#1 i#1 j#1 k#1" {
			w.Fatal(got)
		}
	})
}

func TestNothingWaitsForCompanyWhileAWorkerIsIdle(t *testing.T) {
	simulateBundles(t, "a; b: a; c: a; d: b; e: b; f: c; g: c; h: d e f g", func(w *world) {
		w.carries()
		w.beat("w2", "default")
		w.keepAlive("w1", time.Second)
		w.took("a", time.Microsecond)
		w.sent("b#1+1.1.1")
		w.took("b", time.Microsecond)
		if got := w.carries(); got != "d#1 e#1" {
			w.Fatal(got)
		}
	})
}

func TestAStageThatTakesLongTravelsAlone(t *testing.T) {
	simulateBundles(t, wide(40), func(w *world) {
		w.carries()
		w.took("a", time.Second)
		w.pass(time.Millisecond)
		for id, b := range w.queue.bundles {
			if len(b.Items) != 1 {
				w.Errorf("%s carries %d", id, len(b.Items))
			}
		}
	})
}

func TestAChainTravelsTogether(t *testing.T) {
	simulateBundles(t, "a; b: a; c: b; d: c; e: d; f: e e2; e2: a", func(w *world) {
		w.carries()
		w.took("a", time.Microsecond)
		w.pass(time.Millisecond)
		var chains []string
		for _, b := range w.queue.bundles {
			var names string
			for _, item := range b.Items {
				names += w.spec.Graph.Name(item.Stage)
			}
			chains = append(chains, names)
		}
		slices.Sort(chains)
		// f has two dependencies, and e2 waits for company
		if got := fmt.Sprint(chains); got != "[bcde]" {
			w.Fatal(got)
		}
	})
}

func TestWhatAWorkerLeavesOfABundleIsSentAgain(t *testing.T) {
	simulateBundles(t, wide(8), func(w *world) {
		w.carries()
		w.took("a", time.Microsecond)
		w.sent("s0#1+3.1.1", "s4#1+3.1.2")
		w.claim("w1", "s0", 1)
		w.pass(time.Millisecond)
		w.beat("w2", "default") // so that there is room for more bundles
		w.dead <- "w1"
		w.keepAlive("w3", time.Second)
		var again []string
		for _, b := range w.queue.bundles {
			for _, item := range b.Items {
				again = append(again, fmt.Sprintf("%s#%d", w.spec.Graph.Name(item.Stage), item.Attempt))
			}
		}
		if !slices.Contains(again, "s0#2") || !slices.Contains(again, "s1#1") {
			w.Fatal(again)
		}
	})
}

func TestAChainWhoseFirstStageIsLostIsSentAgain(t *testing.T) {
	simulateBundles(t, "a; b: a; c: b", func(w *world) {
		w.carries()
		w.took("a", time.Microsecond)
		if got := w.carries(); got != "b#1 c#1" {
			w.Fatal(got)
		}
		w.claim("w1", "b", 1)
		w.pass(time.Millisecond)
		w.dead <- "w1"
		if got := w.carries(); !strings.HasPrefix(got, "b#2") {
			w.Fatal(got)
		}
	})
}
