package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/pipefile"
	"github.com/godags/godags/internal/spec"
)

func paramFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.GenericFlag{Name: "param", Value: new(repeatedTexts), Usage: "set the parameter `NAME=VALUE` of the pipeline; may be repeated"},
		&ucli.StringFlag{Name: "params", Usage: "read names and values of parameters from `FILE` (.yaml, .yml or .json); --param overrides it"},
	}
}

// repeatedTexts is a flag that may be repeated. That of urfave/cli would split a value at commas.
type repeatedTexts []string

// Set adds a text.
func (t *repeatedTexts) Set(text string) error {
	*t = append(*t, text)
	return nil
}

// String returns "", because there is no default for the help to show.
func (t *repeatedTexts) String() string { return "" }

// withParams returns the pipeline with the values of its parameters, from flags and defaults.
func withParams(c *ucli.Context, sp *spec.Spec) (*spec.Spec, error) {
	given, err := givenParams(c, sp.Params)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}

	// A copy: the pipeline belongs to the program, which may run it again with other values.
	bound := *sp
	if bound.Params, err = spec.Bind(sp.Params, given); err != nil {
		return nil, usageError("pipeline %s: %w\nGive parameters with --param NAME=VALUE, or with --params FILE", sp.Name, err)
	}

	return &bound, nil
}

// givenParams returns the values that the flags give, as JSON.
func givenParams(c *ucli.Context, declared []spec.Param) (map[string]json.RawMessage, error) {
	given := make(map[string]json.RawMessage)
	if path := c.String("params"); c.IsSet("params") {
		fromFile, err := pipefile.ReadParams(path)
		if err != nil {
			return nil, err
		}
		// The file comes first, so that --param overrides it.
		given = fromFile
	}

	words, ok := c.Generic("param").(*repeatedTexts)
	if !ok {
		return given, nil
	}

	// All problems are reported at once: a user who fixes one sees the others too.
	var problems []error
	for _, word := range *words {
		name, text, found := strings.Cut(word, "=")
		if !found || name == "" {
			problems = append(problems, fmt.Errorf("--param %.100q: write it as NAME=VALUE", word))
			continue
		}
		// JSON would replace bytes that are not UTF-8 silently.
		if err := jsontext.CheckText(text); err != nil {
			problems = append(problems, fmt.Errorf("--param %.100q: %w: pass binary data in a file", name, err))
			continue
		}

		// An undeclared parameter is an error of spec.Bind, whatever its type.
		param := spec.Param{Name: name, Type: spec.String}
		if i := slices.IndexFunc(declared, func(p spec.Param) bool { return p.Name == name }); i >= 0 {
			param = declared[i]
		}

		given[name] = param.Parse(text)
	}

	return given, errors.Join(problems...)
}

// paramTexts returns the parameters of a run as "name=value", for people.
func paramTexts(params []spec.Param) string {
	const most = 60 // characters of a value
	list := make([]string, len(params))
	for i, p := range params {
		// Cut by characters: cutting by bytes could split one.
		value := []rune(printable(p.Text()))
		if len(value) > most {
			value = append(value[:most:most], []rune("...")...)
		}
		list[i] = p.Name + "=" + strings.ReplaceAll(string(value), "\n", " ")
	}

	return strings.Join(list, " ")
}
