package cli

import (
	"bufio"
	"encoding/json"
	"strconv"
	"strings"

	ucli "github.com/urfave/cli/v2"
)

func definePipelines(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "pipelines", Usage: "list the pipelines of this program, with their parameters",
		Flags:  []ucli.Flag{outFlag(), colorFlag()},
		Action: p.action(showPipelines),
	}
}

// listedPipeline is the JSON form of a pipeline.
type listedPipeline struct {
	Name   string        `json:"name"`
	Stages int           `json:"stages"`
	Params []listedParam `json:"params"`
}

type listedParam struct {
	Name    string          `json:"name"`
	Default json.RawMessage `json:"default,omitempty"`
}

func showPipelines(i invocation) error {
	if err := i.noArguments(); err != nil {
		return err
	}

	form, err := i.form()
	if err != nil {
		return err
	}

	list := make([]listedPipeline, len(i.Pipelines)) // never nil: an empty list is [] in JSON
	for n, p := range i.Pipelines {
		list[n] = listedPipeline{Name: p.Spec.Name, Stages: p.Spec.Graph.Len(), Params: []listedParam{}}
		for _, param := range p.Spec.Params {
			list[n].Params = append(list[n].Params, listedParam{param.Name, param.Value})
		}
	}

	return i.print(func(out *bufio.Writer) error {
		if form.json {
			return printJSON(out, list)
		}

		t := table{{"PIPELINE", "STAGES", "PARAMETERS"}}
		for _, p := range list {
			params := make([]string, len(p.Params))
			for k, param := range p.Params {
				params[k] = param.Name
				if param.Default != nil {
					params[k] += "=" + string(param.Default)
				}
			}
			t = append(t, []string{p.Name, strconv.Itoa(p.Stages), strings.Join(params, " ")})
		}
		t.print(out, form, "")
		return nil
	})
}
