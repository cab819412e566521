package dag

import "fmt"

// Trigger says what must have become of a stage's dependencies for the stage to be executed.
type Trigger uint8

// The triggers.
const (
	AllSuccess Trigger = iota // all succeeded
	// all are at their end, however they came to it; holds in a cancelled run too
	AllDone
	AnySuccess  // one succeeded, whatever becomes of the others
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

// Rule says when a stage is executed, and how often. The zero value is the default.
type Rule struct {
	Trigger Trigger
	Retries int // further attempts after one that failed, up to MaxRetries
	// the dependency whose success says how many instances the stage has; nil for a stage without
	// instances
	Each   *StageID
	Gather bool // the stage is to its dependencies what one with instances is to those
}

// Rules are what a run goes by. With the zero value every stage has the zero [Rule].
type Rules struct {
	// after a failure that is final nothing more is begun, except for stages with the triggers
	// AllDone and AnyFailed
	Stop  bool
	Kinds []Rule // the distinct rules
	// per stage of the graph, an index of Kinds; nil if all stages have the zero Rule
	KindOf []uint32
}
