package dag

import "fmt"

// Trigger is the outcome of a stage's dependencies that lets the stage start.
type Trigger uint8

// The triggers.
const (
	AllSuccess Trigger = iota // all succeeded
	// all are terminal, whatever their outcome; also starts in a run that is being cancelled
	AllDone
	AnySuccess  // one succeeded, whatever the outcome of the others
	AnyFailed   // one failed, or was skipped because of a failure
	numTriggers = iota
)

var triggerNames = [numTriggers]string{"all_success", "all_done", "any_success", "any_failed"}

// Triggers returns the names of all triggers.
func Triggers() []string { return triggerNames[:] }

// String returns the trigger's name, such as "all_done".
func (t Trigger) String() string {
	if t < numTriggers {
		return triggerNames[t]
	}
	return fmt.Sprintf("Trigger(%d)", uint8(t))
}

// MarshalText returns the trigger's name.
func (t Trigger) MarshalText() ([]byte, error) {
	if t >= numTriggers {
		return nil, fmt.Errorf("dag: there is no trigger %d", uint8(t))
	}
	return []byte(triggerNames[t]), nil
}

// UnmarshalText sets the trigger from its name.
func (t *Trigger) UnmarshalText(name []byte) error {
	for i, known := range triggerNames {
		if known == string(name) {
			*t = Trigger(i)
			return nil
		}
	}
	return fmt.Errorf("dag: there is no trigger %q", name)
}

// Rule says when a stage is executed, and how often. The zero value is the default: after all
// dependencies succeeded, without retries.
type Rule struct {
	Trigger Trigger
	Retries int // attempts after failed ones, at most MaxRetries

	// Each is set for a mapped stage: the dependency whose output is the list. The stage has an
	// instance for each element.
	Each *StageID

	// Gather is set for a stage that collects the outputs of its dependencies as a mapped stage
	// collects those of its instances. The cells of a matrix are such dependencies: they are stages
	// of the graph, one for each combination. A dependency that skipped itself counts as a success.
	Gather bool
}

// Rules are the rules of all stages of a run. With the zero value every stage has the zero [Rule].
type Rules struct {
	// Stop starts nothing more after a stage has failed, except for stages with the triggers
	// AllDone and AnyFailed.
	Stop bool

	Kinds  []Rule   // the distinct rules
	KindOf []uint32 // by stage of the graph: an index of Kinds; nil if all have the zero Rule
}
