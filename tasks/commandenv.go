package tasks

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/godags/godags/internal/command"
	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/process"
)

// commandEnv returns the environment of a command: the worker's without private variables, and the
// variables of the stage.
func commandEnv(environ []string, c commandParams, s *Stage, w *command.Workspace) []string {
	own := make(map[string]string, 8+len(s.Env)+len(c.env)+len(s.Secrets)+len(s.RunParams))

	// A shell trusts PWD, and would otherwise print the folder of the worker.
	if c.dir != "" {
		if dir, err := filepath.Abs(c.dir); err == nil {
			own["PWD"] = dir
		}
	}

	if s.User != nil {
		maps.Copy(own, s.User.Env())
	}

	// Later ones win. The variables of the worker itself come last, so that a pipeline cannot make
	// a command believe that it belongs to another run.
	maps.Copy(own, s.Env)
	maps.Copy(own, c.env)
	maps.Copy(own, s.Secrets)
	own["GODAGS_RUN"] = s.Run
	own["GODAGS_PIPELINE"] = s.Pipeline
	own["GODAGS_STAGE"] = s.Name
	own["GODAGS_ATTEMPT"] = strconv.Itoa(s.Attempt)
	own["GODAGS_INPUTS"] = w.InputsPath()
	own["GODAGS_OUTPUT"] = w.OutputPath()
	own["GODAGS_SCRATCH"] = w.ScratchPath()
	for name, value := range s.RunParams {
		own["GODAGS_PARAM_"+strings.ToUpper(name)] = plain(value)
	}

	if s.Item != nil {
		own["GODAGS_ITEM"] = plain(s.Item)
		own["GODAGS_INDEX"] = strconv.Itoa(s.Index)
		addMembers(own, s.Item)
	}

	// A variable that occurs twice has the first value for some programs and the last for others,
	// so the worker's is dropped.
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

// addMembers adds a variable for each member of an item that is an object, such as a cell of a
// matrix. Members whose names or values no variable can have are only in GODAGS_ITEM.
func addMembers(env map[string]string, item json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(item, &members) != nil {
		return // it is no object
	}

	// Sorted, so that of two names that differ in case only each attempt gets the same one.
	for _, name := range slices.Sorted(maps.Keys(members)) {
		// A variable ends at U+0000, which GODAGS_ITEM has as an escape.
		if value := plain(members[name]); isVariable(name) && !strings.ContainsRune(value, 0) {
			env["GODAGS_ITEM_"+strings.ToUpper(name)] = value
		}
	}
}

// isVariable reports whether a shell can read a variable whose name ends so.
func isVariable(name string) bool {
	other := func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return name != "" && !strings.ContainsFunc(name, other)
}

// plain returns a JSON value as commands get it: a string without its quotes, anything else
// unchanged.
func plain(value json.RawMessage) string {
	if text, ok := jsontext.Text(value); ok {
		return text
	}
	return string(value)
}
