package dag

import "fmt"

// Trigger says what must have become of a stage's dependencies for the stage to be executed.
type Trigger uint8

// The triggers.
const (
	AllSuccess  Trigger = iota // all succeeded
	AllDone                    // all are at their end, however they came to it; holds in a cancelled run too
	AnySuccess                 // one succeeded, whatever becomes of the others
	AnyFailed                  // one failed, or was skipped because of a failure
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
