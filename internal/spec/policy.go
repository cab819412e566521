package spec

import (
	"encoding/json"
	"time"

	"github.com/godags/godags/dag"
)

// Policy says when a stage is executed, and what follows when it fails. Its zero value is the
// default of everything.
type Policy struct {
	Trigger dag.Trigger `json:"trigger,omitzero"`
	// condition, an expression; empty for none
	When string `json:"when,omitempty"`
	// name of the dependency whose output has an element for each instance; empty for none
	ForEach string `json:"for_each,omitempty"`
	// instances executed at once; 0 for any number
	MaxParallel int `json:"max_parallel,omitempty"`
	// further attempts after one that failed
	Retries int           `json:"retries,omitempty"`
	Backoff Backoff       `json:"backoff,omitzero"`
	Timeout time.Duration `json:"timeout,omitempty"` // of an attempt; 0 for none
	// of stages that are ready, the one with the highest goes first
	Priority int `json:"priority,omitempty"`
	// names of what the worker must have for the stage
	Secrets []string `json:"secrets,omitempty"`
}

// Backoff says how long to wait before a further attempt: Initial after the first failure, Factor
// times as long after each further one, at most Max; less or more by up to the fraction Jitter of
// it. The zero Backoff stands for [DefaultBackoff].
type Backoff struct {
	Initial time.Duration `json:"initial,omitempty"`
	Factor  float64       `json:"factor,omitempty"`
	Max     time.Duration `json:"max,omitempty"`
	Jitter  float64       `json:"jitter,omitempty"`
}

// DefaultBackoff is what holds where no back-off is given: 1 s, twice as long each time, at most 5
// min, more or less by a tenth.
var DefaultBackoff = Backoff{Initial: time.Second, Factor: 2, Max: 5 * time.Minute, Jitter: 0.1}

// OrDefault returns b, or [DefaultBackoff] for the zero Backoff.
func (b Backoff) OrDefault() Backoff {
	if b == (Backoff{}) {
		return DefaultBackoff
	}
	return b
}

// Settings are what holds for a run as a whole.
type Settings struct {
	Timeout time.Duration     `json:"timeout,omitempty"` // of the run; 0 for none
	Stop    bool              `json:"stop,omitempty"`    // after a failure nothing more is begun
	Params  []Param           `json:"params,omitempty"`
	Env     map[string]string `json:"env,omitempty"` // what commands and conditions see
}

// Param is a parameter of the pipeline, with the value that it has in this run.
type Param struct {
	Name string `json:"name"`
	Type string `json:"type"` // string, int, float, bool, list or object
	// before a run the default; nil: it has none, and must be given
	Value       json.RawMessage `json:"value,omitempty"`
	Description string          `json:"description,omitempty"`
}
