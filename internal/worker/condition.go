package worker

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

func (l *loaded) condition(s dag.StageID) (*condition.Condition, error) {
	l.conditions.mu.Lock()
	defer l.conditions.mu.Unlock()

	if c := l.conditions.known[s]; c != nil {
		return c, nil
	}

	kind := l.spec.Kind(s)
	c, err := condition.Compile(kind.When, condition.Scope{Params: l.spec.Params, Env: l.spec.Env, Outputs: names(l.spec, s),
		Item: kind.ForEach != "" || kind.Item != nil})
	if err != nil {
		return nil, tasks.NoRetry(err)
	}

	if len(l.conditions.known) == maxConditions || l.conditions.known == nil {
		l.conditions.known = make(map[dag.StageID]*condition.Condition)
	}

	l.conditions.known[s] = c
	return c, nil
}

// condition reports whether the stage is to be executed.
func (x *exchange) condition(ctx context.Context, item json.RawMessage, index int) (bool, error) {
	c, err := x.execution.bundle.loaded.condition(x.execution.graphStage())
	if err != nil {
		return false, err
	}

	values := condition.Values{Outputs: make(map[string][]byte), Item: item, Index: index}
	for _, name := range c.Outputs() {
		value, err := x.Output(ctx, name)
		if err != nil && !errors.Is(err, tasks.ErrNoOutput) {
			return false, err
		}
		values.Outputs[name] = value
	}

	return c.Eval(ctx, values)
}
