package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// handle calls the handler, unless the condition of the stage is false.
func (a *Attempt) handle(ctx context.Context, v *stageValues) (skipped bool, err error) {
	b := a.batch
	sp := b.pipeline.spec
	kind := a.kind()
	item := kind.Item
	index := kind.Index

	if a.graphStage() != a.Stage {
		i := b.items[a.Stage]
		if item, err = v.element(ctx, i); err != nil {
			return false, err
		}
		index = i.Index
	}

	// Evaluated by the worker, as part of the attempt, because a worker can read outputs.
	if kind.When != "" {
		if holds, err := v.condition(ctx, item, index); !holds || err != nil {
			return err == nil, err
		}
	}

	if kind.Task == "" {
		return false, nil // a join point
	}

	handler, err := b.Registry.Lookup(kind.Task)
	if err != nil {
		return false, err
	}

	// Read for each attempt and only for stages that name them: no other handler can see them.
	secrets, err := a.loadSecrets(kind.Secrets)
	if err != nil {
		return false, err
	}

	err = tasks.Run(ctx, handler, &tasks.Stage{
		Run: string(b.Claim.Run), Pipeline: sp.Name, Name: a.Name(), Attempt: int(a.Attempt), Worker: b.Worker,
		Params: kind.Params, After: names(sp, a.graphStage()), Instance: tasks.Instance{Item: item, Index: index},
		Log: a.log, Values: v,
		RunParams: paramsOf(sp), Env: sp.Env, Secrets: secrets,
		Revoked: a.revoked, User: b.User,
	})

	// A handler may skip its own stage, as a false condition does.
	if errors.Is(err, tasks.ErrSkip) {
		return true, nil
	}

	return false, err
}

func names(sp *spec.Spec, id dag.StageID) []string {
	deps := sp.Graph.Deps(id)
	list := make([]string, len(deps))
	for i, d := range deps {
		list[i] = sp.Graph.Name(d)
	}
	return list
}

func paramsOf(sp *spec.Spec) map[string]json.RawMessage {
	params := make(map[string]json.RawMessage, len(sp.Params))
	for _, p := range sp.Params {
		params[p.Name] = p.Value
	}
	return params
}

// secretPrefix begins the names of secrets in the environment of a worker.
const secretPrefix = "GODAGS_SECRET_"

// loadSecrets returns the secrets that the stage may know. From then on they are masked in the log
// and in errors of the attempt.
func (a *Attempt) loadSecrets(names []string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}

	secrets := make(map[string]string, len(names))
	for _, name := range names {
		value, ok := os.LookupEnv(secretPrefix + name)
		if !ok {
			// Another attempt, on this worker or on one that was started alike, would lack it too.
			return nil, tasks.NoRetry(fmt.Errorf("secret %s: the worker has no variable %s%s: "+
				"set it where the worker is started", name, secretPrefix, name))
		}
		secrets[name] = value
	}

	mask, err := tasks.NewMask(secrets)
	if err != nil {
		return nil, tasks.NoRetry(err)
	}

	a.mask = mask
	a.log.Hide(mask)
	return secrets, nil
}
