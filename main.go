package godags

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/godags/godags/internal/cli"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/process"
)

// Main makes a whole program of pipelines: it does what the command line asks for (run, worker,
// runs, status, events, logs, cancel, graph, validate, workers, doctor, ...) and ends the process
// with the exit code that --help lists. The first pipeline is the default of run.
//
// A pipeline that is not valid ends the program with code 2 and all that is wrong with it.
func Main(pipelines ...*Pipeline) {
	os.Exit(programMain(cli.Main, pipelines))
}

// WorkerMain makes a program of pipelines that is a worker and nothing else: it executes stages for
// runs on the Redis given by --redis.
func WorkerMain(pipelines ...*Pipeline) {
	os.Exit(programMain(cli.WorkerMain, pipelines))
}

func programMain(command func(context.Context, cli.Program, []string) int, pipelines []*Pipeline) int {
	program := cli.Program{Name: filepath.Base(os.Args[0]), Call: cli.Call(os.Args[0]), Out: os.Stdout, Err: os.Stderr}
	// Commands of stages run as the same user, and must not read the key from our memory. This
	// comes before anything else, since the environment holds the key.
	if err := process.Isolate(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: warning: %v\n", program.Name, err)
	}

	names := make(map[string]bool)
	// All are checked before one runs: a worker that lacks half of its functions would start
	// otherwise.
	for _, p := range pipelines {
		definition, err := p.define()
		if err == nil && names[p.name] {
			err = fmt.Errorf("two pipelines have the name %q", p.name)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", program.Name, err)
			return 2
		}

		names[p.name] = true
		program.Pipelines = append(program.Pipelines, engine.Pipeline(definition))
	}

	return command(context.Background(), program, os.Args[1:])
}
