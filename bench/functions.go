package main

import (
	"context"
	"os"

	"github.com/godags/godags"
)

// programRole is the first argument of this program when it is to be a program of godags that has
// [functionPipeline] in it.
const programRole = "program"

// program does what the other arguments say.
func program() {
	// Main reads os.Args, as in a user's program.
	os.Args = append(os.Args[:1], os.Args[2:]...)
	godags.Main(functionPipeline())
}

const functionName = "functions"

// functionPipeline is [layers5000] with a Go function for each stage.
func functionPipeline() *godags.Pipeline {
	p := godags.New(functionName)
	stages := make(map[string]*godags.Stage)
	for s := range layers5000.shape {
		added := p.Do(s.Name, func(context.Context) error { return nil })
		for _, name := range s.After {
			added.After(stages[name])
		}
		stages[s.Name] = added
	}

	return p
}

// goFunctions samples a run of it.
func (l *lab) goFunctions(read reading) sampler {
	return l.sample(func(w *world) ([]figure, error) {
		w.team = l.functions
		if _, err := w.startWorkers(2); err != nil {
			return nil, err
		}
		o, err := w.run(functionName)
		return read(o.Seconds), err
	})
}
