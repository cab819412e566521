package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
)

// stage is one stage of a pipeline file.
type stage struct {
	Name   string            `json:"name"`
	After  []string          `json:"after,omitempty"`
	Task   string            `json:"task,omitempty"`
	Params map[string]string `json:"params,omitempty"`
	Run    []string          `json:"run,omitempty"`
}

// shape is the stages of a pipeline, in an order in which each comes after those that it depends
// on.
type shape iter.Seq[stage]

// pipeline is a pipeline file.
type pipeline struct {
	name   string // of the file: .json or .yaml
	stages int
	shape  shape
}

// layeredSeed makes every layered shape the same each time.
const layeredSeed = 1

// chain is n stages, one after the other.
func chain(n int) shape { return naps(n, "") }

// naps is a chain of stages that sleep for a time such as "20ms", or do nothing if it is empty.
func naps(n int, duration string) shape {
	return func(yield func(stage) bool) {
		for i := range n {
			s := stage{Name: fmt.Sprintf("s%d", i), Task: "noop"}
			if duration != "" {
				s.Task, s.Params = "sleep", map[string]string{"duration": duration}
			}

			if i > 0 {
				s.After = []string{fmt.Sprintf("s%d", i-1)}
			}

			if !yield(s) {
				return
			}
		}
	}
}

// fan is a source, n stages after it, and one after all of them.
func fan(n int) shape {
	return func(yield func(stage) bool) {
		if !yield(stage{Name: "src", Task: "noop"}) {
			return
		}

		middle := make([]string, n)
		for i := range middle {
			middle[i] = fmt.Sprintf("m%d", i)
			if !yield(stage{Name: middle[i], After: []string{"src"}, Task: "noop"}) {
				return
			}
		}

		yield(stage{Name: lastStage, After: middle, Task: "noop"})
	}
}

// lastStage is the name of the stage that comes after all others in the shapes that have one.
const lastStage = "the-end"

// layered is layers of stages that come after a few random ones of the layer before, and one after
// all. Names are numbers to the base of 36, so that a million stages fit into the 64 MiB that a
// file may have.
func layered(layers, width, parents int, action stage) shape {
	return func(yield func(stage) bool) {
		// Made anew in each iteration, so that a shape is the same for every system.
		random := rand.New(rand.NewPCG(layeredSeed, layeredSeed))
		var before []string
		for l := range layers {
			current := make([]string, width)
			for i := range current {
				current[i] = strconv.FormatInt(int64(l*width+i), 36)
				s := action
				s.Name, s.After = current[i], pick(random, before, parents)
				if !yield(s) {
					return
				}
			}

			before = current
		}

		end := action
		end.Name, end.After = lastStage, before
		yield(end)
	}
}

// pick returns n different names, or all if there are fewer.
func pick(random *rand.Rand, names []string, n int) []string {
	picked := make([]string, 0, n)
	for want := min(n, len(names)); len(picked) < want; {
		name := names[random.IntN(len(names))]
		if !slices.Contains(picked, name) {
			picked = append(picked, name)
		}
	}
	return picked
}

// straggler is chains whose stages take 200 and 10 ms in turn, every other chain the other way
// round, and one after all.
func straggler(chains, length int) shape {
	return func(yield func(stage) bool) {
		end := stage{Name: lastStage, Task: "noop"}
		for c := range chains {
			var before []string
			for i := range length {
				s := stage{Name: fmt.Sprintf("c%d_%d", c, i), After: before, Task: "sleep", Params: map[string]string{"duration": "200ms"}}
				if (i+c)%2 == 1 {
					s.Params = map[string]string{"duration": "10ms"}
				}

				if !yield(s) {
					return
				}

				before = []string{s.Name}
			}

			end.After = append(end.After, before...)
		}

		yield(end)
	}
}

// write writes a pipeline file: YAML in block style if its name says so, else JSON with a stage per
// line.
func (sh shape) write(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	if strings.HasSuffix(path, ".yaml") {
		sh.yaml(out)
	} else if err := sh.json(out); err != nil {
		return err
	}

	return out.Flush()
}

func (sh shape) json(out io.Writer) error {
	separator := `{"stages":[` + "\n"
	for s := range sh {
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}

		if _, err := fmt.Fprintf(out, "%s%s", separator, text); err != nil {
			return err
		}

		separator = ",\n"
	}

	_, err := io.WriteString(out, "]}\n")
	return err
}

// yaml is for shapes of tasks without parameters. Errors are found when the writer is flushed.
func (sh shape) yaml(out *bufio.Writer) {
	fmt.Fprintln(out, "stages:")
	for s := range sh {
		fmt.Fprintf(out, "  - name: %q\n    task: %s\n", s.Name, s.Task)
		if len(s.After) > 0 {
			fmt.Fprintf(out, "    after: [\"%s\"]\n", strings.Join(s.After, `", "`))
		}
	}
}
