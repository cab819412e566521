package tasks

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/process"
)

// commandEnv returns the worker's environment without what only the worker may know, and with what
// the stage is given.
func commandEnv(environ []string, c commandCall, s *Stage, w *workspace) []string {
	own := make(map[string]string, 6+len(s.Env)+len(c.env)+len(s.Secrets)+len(s.RunParams))
	if c.dir != "" {
		if dir, err := filepath.Abs(c.dir); err == nil {
			own["PWD"] = dir
		}
	}

	if s.User != nil {
		maps.Copy(own, s.User.env())
	}

	maps.Copy(own, s.Env)
	maps.Copy(own, c.env)
	maps.Copy(own, s.Secrets)
	own["GODAGS_RUN"] = s.Run
	own["GODAGS_PIPELINE"] = s.Pipeline
	own["GODAGS_STAGE"] = s.Name
	own["GODAGS_ATTEMPT"] = strconv.Itoa(s.Attempt)
	own["GODAGS_INPUTS"] = w.path(inputsName)
	own["GODAGS_OUTPUT"] = w.path(outputName)
	for name, value := range s.RunParams {
		own["GODAGS_PARAM_"+strings.ToUpper(name)] = bare(value)
	}

	if s.Item != nil {
		own["GODAGS_ITEM"] = bare(s.Item)
		own["GODAGS_INDEX"] = strconv.Itoa(s.Index)
	}

	env := make([]string, 0, len(environ)+len(own))
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if _, replaced := own[name]; !replaced && !process.Private(name) {
			env = append(env, entry)
		}
	}

	for name, value := range own {
		env = append(env, name+"="+value)
	}
	return env
}

// bare returns a JSON value as commands see it: a string without its quotes, anything else as it
// is.
func bare(value json.RawMessage) string {
	if text, ok := jsontext.Text(value); ok {
		return text
	}
	return string(value)
}

// checkVariables returns an error if the system cannot hand one of the variables to a program.
// Another attempt would get the same ones.
func checkVariables(env []string) error {
	for _, variable := range env {
		if strings.Contains(variable, "\x00") {
			name, _, _ := strings.Cut(variable, "=")
			return NoRetry(fmt.Errorf("variable %s: it has the character U+0000, which no variable can have: hand it over in a file", name))
		}
	}
	return nil
}
