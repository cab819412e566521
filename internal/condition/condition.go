// Package condition checks and evaluates the expressions that say whether a stage is executed, such
// as
//
//	params.train && outputs.split.rows > 100
//
// The language is github.com/expr-lang/expr without what takes unbounded time or memory: a
// condition is one expression of operators and of the functions in Functions, over these names:
//
//	params.NAME              a parameter of the run, with the type that the pipeline declares
//	env.NAME                 a variable that the pipeline declares, a string
//	outputs.STAGE            the output of a dependency: its JSON value, or its text without
//	                         trailing line ends; nil if it has none
//	outputs["NAME"]          the same, for names that are not words
//	item, index              of an instance of a stage with for_each, or a cell of a matrix
//
// What can be known before the run is an error of [Compile]: unknown names, wrong types, a result
// that cannot be true or false.
package condition

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/godags/godags/internal/spec"
)

const (
	// MaxSource is the length in bytes of the longest condition.
	MaxSource = 4096
	// MaxOutput is the size in bytes of the largest output, or item, that a condition can read.
	MaxOutput = 1 << 20
	// MaxOutputs is how many bytes all outputs that a condition reads can have together: as values,
	// they take up to a hundred times as much memory.
	MaxOutputs = 4 << 20
	// maxTime is how long an evaluation may take.
	maxTime = 5 * time.Second
	// maxNodes is the number of nodes that the expression may have. Each takes its time, and its
	// part of the memory.
	maxNodes = 500
)

// Scope is what a condition can name.
type Scope struct {
	Params  []spec.Param // values are not needed to compile
	Env     map[string]string
	Outputs []string // names of the dependencies
	Item    bool     // there are item and index
}

// Condition is a checked expression. It is safe for concurrent use.
type Condition struct {
	source  string
	program *vm.Program
	reads   []string
	item    bool // it reads the item
	params  map[string]any
	env     map[string]string

	patterns map[string]*pattern // of its matches
}

// Compile checks a condition. What is wrong with the text is an [*Error]; other errors are about
// the values of parameters.
func Compile(source string, s Scope) (*Condition, error) {
	if len(source) > MaxSource {
		return nil, &Error{End: 1, Message: fmt.Sprintf("the condition has %d bytes, and may have %d: let a stage compute it", len(source), MaxSource)}
	}

	found, err := check(source, s)
	if err != nil {
		return nil, err
	}

	// It is checked as it is written: what bounds it would be in the messages, and hides types.
	written, err := compile(source, s)
	if err != nil {
		return nil, located(source, err)
	}
	if err := outcome(source, written.Node()); err != nil {
		return nil, err
	}

	c := &Condition{source: source, reads: found.reads, item: found.item, params: make(map[string]any), env: s.Env, patterns: make(map[string]*pattern)}
	if c.program, err = compile(source, s, expr.Patch(bounder{c.patterns})); err != nil {
		return nil, located(source, err)
	}

	for _, p := range s.Params {
		if p.Value == nil {
			continue
		}
		if c.params[p.Name], err = paramValue(p); err != nil {
			return nil, err
		}
	}

	return c, nil
}

// compile is expr.Compile, of which some versions have panicked on some texts.
func compile(source string, s Scope, more ...expr.Option) (program *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the condition cannot be understood: %v", r)
		}
	}()
	options := []expr.Option{expr.Env(s.types()), expr.AsBool(), expr.Optimize(false), expr.MaxNodes(maxNodes), expr.DisableIfOperator()}
	return expr.Compile(source, append(options, more...)...)
}

var paramTypes = map[string]types.Type{
	spec.String: types.String, spec.Int: types.Int, spec.Float: types.Float64, spec.Bool: types.Bool,
	spec.List: types.Array(types.Any), spec.Object: types.TypeOf(map[string]any{}),
}

func (s Scope) types() types.Map {
	params := types.Map{}
	env := types.Map{}
	outputs := types.Map{}
	for _, p := range s.Params {
		if params[p.Name] = paramTypes[p.Type]; p.Type == "" {
			// something is wrong with what declares it, and is reported there
			params[p.Name] = types.Any
		}
	}

	for name := range s.Env {
		env[name] = types.String
	}

	for _, name := range s.Outputs {
		outputs[name] = types.Any
	}

	of := new(evaluation)
	all := types.Map{"params": params, "env": env, "outputs": outputs,
		stepFunc: types.TypeOf(of.step), madeFunc: types.TypeOf(of.value), matchFunc: types.TypeOf(of.matches)}
	if s.Item {
		all["item"], all["index"] = types.Any, types.Int
	}
	return all
}

// Outputs returns the names of the dependencies whose outputs the condition reads. The caller must
// not change it.
func (c *Condition) Outputs() []string { return c.reads }

// Values are what differs from one evaluation to the next.
type Values struct {
	// by stage, in the stored form of package cache; none for a stage without output
	Outputs map[string][]byte
	Item    json.RawMessage
	Index   int
}

// Eval returns what the condition says. It fails when an operation does not suit the values, when
// they are too large, when ctx is done, or after 5 seconds.
func (c *Condition) Eval(ctx context.Context, v Values) (bool, error) {
	holds, err := c.eval(ctx, v)
	if err != nil {
		return false, fmt.Errorf("condition %q: %w", c.source, err)
	}
	return holds, nil
}

func (c *Condition) eval(ctx context.Context, v Values) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxTime, fmt.Errorf("it takes longer than %v", maxTime))
	defer cancel()

	outputs, err := c.outputs(ctx, v.Outputs)
	if err != nil {
		return false, err
	}

	var item any
	if c.item {
		if item, err = itemValue(v.Item); err != nil {
			return false, fmt.Errorf("item: %w", err)
		}
	}

	e := &evaluation{ctx: ctx, patterns: c.patterns}
	result, err := vm.Run(c.program, map[string]any{"params": c.params, "env": c.env, "outputs": outputs,
		"item": item, "index": v.Index, stepFunc: e.step, madeFunc: e.value, matchFunc: e.matches})
	var at *file.Error
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.As(err, &at):
		return false, explain(at.Message)
	case err != nil:
		return false, err
	}

	return result.(bool), nil // the program ends with a conversion
}

// outputs returns the values of the outputs that are read.
func (c *Condition) outputs(ctx context.Context, stored map[string][]byte) (map[string]any, error) {
	size := 0
	for _, name := range c.reads {
		size += len(stored[name])
	}

	if len(c.reads) > 1 && size > MaxOutputs {
		return nil, fmt.Errorf("the outputs that it reads have %d bytes together, and a condition reads at most %d: let the stages put out what matters", size, MaxOutputs)
	}

	outputs := make(map[string]any, len(c.reads))
	for _, name := range c.reads {
		value, err := outputValue(stored[name])
		if err == nil {
			err = context.Cause(ctx) // values of many small objects take their time
		}
		if err != nil {
			return nil, fmt.Errorf("output of stage %q: %w", name, err)
		}
		outputs[name] = value
	}

	return outputs, nil
}

// explain says in words what expr says when the result is not true or false.
func explain(message string) error {
	if of, ok := strings.CutPrefix(message, "invalid operation: bool("); ok {
		return fmt.Errorf("it gives %s, not true or false", typeNames.Replace(strings.TrimSuffix(of, ")")))
	}
	return errors.New(typeNames.Replace(message))
}
