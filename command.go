package godags

import (
	"fmt"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/tasks"
)

// Command is a program in place of a function: see [Pipeline.Command]. It has either Run or Argv.
type Command struct {
	Run string `json:"run,omitempty"` // text for the shell
	// a program, which is looked up in the worker's PATH, and its arguments
	Argv []string `json:"argv,omitempty"`
	// what executes Run, which is added as its last argument; default: sh -c
	Shell []string          `json:"shell,omitempty"`
	Dir   string            `json:"dir,omitempty"` // folder to start in; default: the worker's
	Env   map[string]string `json:"env,omitempty"` // variables of the environment

	// exit statuses after which the stage is not executed again
	NoRetryCodes []int `json:"no_retry_codes,omitempty"`
}

// Command adds a stage that executes a program. The program finds the outputs of its dependencies
// as files of the folder $GODAGS_INPUTS, named like the stages. Its output is what it writes to the
// file $GODAGS_OUTPUT, up to 64 MiB. [tasks.Command] lists its other variables. An exit status
// other than 0 fails the stage.
func (p *Pipeline) Command(name string, c Command, opts ...StageOption) Output[[]byte] {
	params, err := jsontext.Marshal(c)
	if err == nil {
		err = tasks.Command{}.Validate(params)
	}
	if err != nil {
		p.problems = append(p.problems, fmt.Errorf("stage %q: %w", name, err))
	}

	// The codec comes last: the bytes of a file are passed as they are, whatever the pipeline's
	// default.
	s := p.add(name, false, tasks.Command{}.Handle, append(mapOptions(opts), Codec(cache.Raw)))
	s.params = params
	return Output[[]byte]{Stage: s}
}
