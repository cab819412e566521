package progress

import (
	"maps"
	"slices"
	"time"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/runstate"
)

// announceAfter is how long a block must last before a line says so. When a run starts, its workers
// need about a second until their first heartbeat.
const announceAfter = 2 * time.Second

// blocks remembers which stages no live worker can run, so that each block is announced once, and
// resolved once.
type blocks struct {
	now    map[blockKey]block
	ending bool // the run is cancelled or finished: a block that ends now was not resolved
}

// blockKey identifies a block. The text of a reason does not: a worker that cannot execute stages
// may give another cause each time.
type blockKey struct{ code, queue, task string }

type block struct {
	since     time.Time
	announced bool
	text      string // the reason
}

func keyOf(g runstate.Group) blockKey { return blockKey{g.Reason.Code, g.Queue, g.Task} }

// observe notes whether the run is ending: then stages stop waiting without having been started.
func (b *blocks) observe(run *runstate.Run) {
	b.ending = run.DAG.Cancelling() || run.DAG.Finished()
}

// waitingGroup is a group of ready stages as a display shows it.
type waitingGroup struct {
	runstate.Group
	label string // the stages, such as "train +11"
	since time.Time
}

// labelOf names the first stage of a group, and how many others there are.
func labelOf(run *runstate.Run, g runstate.Group) string {
	if len(g.First) == 0 {
		return plural(g.Stages, "stage")
	}

	name := clean(run.Name(g.First[0]))
	if g.Stages == 1 {
		return name
	}

	// Which instances wait changes all the time.
	mapped, _, instances := run.DAG.Instance(g.First[0])
	for _, s := range g.First {
		of, _, isInstance := run.DAG.Instance(s)
		instances = instances && isInstance && of == mapped
	}
	if instances {
		return shorten(clean(run.Name(mapped)), widestName-len(commas(g.Stages))-3) + " (" + commas(g.Stages) + ")"
	}

	// The number comes last, where a name that is too long is not shortened.
	more := " +" + commas(g.Stages-1)
	return shorten(name, widestName-len(more)) + more
}

// Waiting shows why ready stages do not start. It must be called regularly with all groups, as
// [runstate.Explainer.Groups] returns them. A terminal shows each reason while it holds. A block,
// which no live worker can end, is also announced in a line after 2 s, and again when it is
// resolved.
//
// An unreachable Redis is not announced here: the connection logs it.
func (p *Printer) Waiting(run *runstate.Run, groups []runstate.Group) {
	p.mu.Lock()
	defer p.mu.Unlock()

	now := time.Now()
	before := p.blocks.now
	p.blocks.now = make(map[blockKey]block)
	list := make([]waitingGroup, 0, len(groups))
	for _, g := range groups {
		key := keyOf(g)
		// Several groups may have one key, and are one block.
		b, known := p.blocks.now[key]
		if !known {
			b, known = before[key]
		}
		if !known {
			b.since = now
		}

		b.text = g.Reason.Text
		if g.Blocked && !b.announced && now.Sub(b.since) >= announceAfter {
			b.announced = true
			p.say(message{kind: waiting, text: p.announcement(g)})
		}

		p.blocks.now[key] = b
		list = append(list, waitingGroup{g, labelOf(run, g), b.since})
	}

	// Nothing is known about the workers, so every earlier block may still exist.
	if unknown(groups) {
		maps.Copy(p.blocks.now, before)
	}

	p.resolve(before, now)
	if t, ok := p.display.(*tty); ok {
		t.wait(list)
	}
}

// unknown reports whether a group has a reason that hides the state of the workers. Announced
// blocks are not resolved then.
func unknown(groups []runstate.Group) bool {
	return slices.ContainsFunc(groups, func(g runstate.Group) bool {
		switch g.Reason.Code {
		case api.ReasonRedis, api.ReasonRunQueued, api.ReasonRunStalled:
			return true
		}
		return false
	})
}

// resolve announces the end of blocks that were announced.
func (p *Printer) resolve(before map[blockKey]block, now time.Time) {
	for key, b := range before {
		if _, still := p.blocks.now[key]; still || !b.announced || p.blocks.ending {
			continue
		}
		p.say(message{kind: resolved, text: "after " + formatRough(now.Sub(b.since)) + ": " + b.text})
	}
}

// announcement says how many stages wait, why, and what to do.
func (p *Printer) announcement(g runstate.Group) string {
	text := g.String()
	if p.remedy == nil {
		return text
	}
	if remedy := p.remedy(g); remedy != "" {
		text += "; " + remedy
	}
	return text
}
