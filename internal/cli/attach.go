package cli

import (
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
)

func (p Program) attachCommand() *ucli.Command {
	return &ucli.Command{
		Name: "attach", Usage: "follow a run to its end", ArgsUsage: "RUN",
		Description: "It shows what run shows, and ends with the exit code of the run. Ctrl-C ends this command and leaves the run alone. " + runHelp,
		Flags:       []ucli.Flag{redisFlag(), homeFlag(), outFlag(), progressFlag(), colorFlag()},
		Action:      p.attach,
	}
}

func (p Program) attach(c *ucli.Context) error {
	return p.onRun(c, engine.RunOptions{}, (*engine.Session).Attach)
}

// tell says what we have to do with the run, when that changes.
func (s *screen) tell(part engine.Part, coordinator string) {
	before, _ := s.part.Swap(part).(engine.Part)
	switch {
	case part == before:
	case part == engine.Ended:
		s.say("the run is finished already: this is what became of it")
	case part == engine.Follows && before == engine.Drives:
		s.say("%s has taken over the run: following it", coordinator)
	case part == engine.Follows && s.standBy:
		s.say("%s drives this run already, or did until a moment ago: following it, to go on with it should that coordinator be gone", coordinator)
	case part == engine.Follows && before == engine.Waits:
		s.say("%s drives the run now", coordinator)
	case part == engine.Waits && coordinator == "":
		s.say("no coordinator has taken the run yet: one that serves soon will; if there is none, start it with %s, or drive the run here with %s", s.hint("serve"), s.about("resume"))
	case part == engine.Waits:
		s.say("stalled: nobody drives the run, its coordinator %s is gone; %s goes on with it", coordinator, s.about("resume"))
	case part == engine.Drives && before != "":
		s.say("the coordinator of the run is gone: going on with it")
	}
}

// about is a command of this program that concerns the run.
func (s *screen) about(command string) hint {
	id, _ := s.run.Load().(runs.ID)
	if id == "" {
		id = runs.Latest
	}
	return s.hint(command, string(id))
}

// follows reports whether somebody else is in charge of the run.
func (s *screen) follows() bool {
	part, _ := s.part.Load().(engine.Part)
	return part == engine.Follows || part == engine.Waits
}

// stopping says what a signal does.
func (s *screen) stopping(why interrupted, grace time.Duration) {
	if s.follows() || why.handOver {
		s.say("%s: leaving the run, which goes on; %s follows it again, %s stops it", signalName(why.signal), s.about("attach"), s.about("cancel"))
		return
	}
	s.say("%s: the run is being cancelled; running stages have %s to stop (once more: end them by force)", signalName(why.signal), grace)
}

// leave says what becomes of a run that is left in a hurry.
func (s *screen) leave() {
	switch {
	case s.over.Load():
		s.say("leaving; the run has ended, and what still runs of it is being killed")
	case s.follows():
		s.say("leaving the run")
	default:
		s.say("leaving; the run is not at its end: %s brings it there", s.about("resume"))
	}

	s.printer.Close() // whatever it says: we leave
}
