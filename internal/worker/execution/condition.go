package execution

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/condition"
	"github.com/godags/godags/tasks"
)

// conditions keeps the conditions of some stages of a pipeline that were met last, compiled.
type conditions struct {
	mu    sync.Mutex
	known map[dag.StageID]*condition.Condition
}

const maxConditions = 1000

func (p *pipeline) condition(s dag.StageID) (*condition.Condition, error) {
	p.conditions.mu.Lock()
	defer p.conditions.mu.Unlock()

	if c := p.conditions.known[s]; c != nil {
		return c, nil
	}

	kind := p.spec.Kind(s)
	c, err := condition.Compile(kind.When, condition.Scope{
		Params: p.spec.Params, Env: p.spec.Env, Outputs: names(p.spec, s),
		Item: kind.ForEach != "" || kind.Item != nil,
	})
	if err != nil {
		// The condition was checked when the run was submitted, and another attempt compiles the
		// same text.
		return nil, tasks.NoRetry(err)
	}

	// Forgetting all of them is rare, and cheaper than keeping track of their use.
	if len(p.conditions.known) == maxConditions || p.conditions.known == nil {
		p.conditions.known = make(map[dag.StageID]*condition.Condition)
	}

	p.conditions.known[s] = c
	return c, nil
}

// condition reports whether the condition of the stage is true.
func (in inputs) condition(ctx context.Context, item json.RawMessage, index int) (bool, error) {
	c, err := in.batch.pipeline.condition(in.graphStage())
	if err != nil {
		return false, err
	}

	values := condition.Values{Outputs: make(map[string][]byte), Item: item, Index: index}
	for _, name := range c.Outputs() {
		value, err := in.readNamed(ctx, name)
		// A condition may ask whether there is an output, so a missing one is null.
		if err != nil && !errors.Is(err, tasks.ErrNoOutput) {
			return false, err
		}
		values.Outputs[name] = value
	}

	return c.Eval(ctx, values)
}
