// Package condition checks and evaluates the expressions that say whether a stage is executed, such as
//
//	params.train && outputs.split.rows > 100
//
// The language is github.com/expr-lang/expr without what takes unbounded time or memory: a condition is one expression of
// operators and of the functions in Functions, over these names:
//
//	params.NAME              a parameter of the run, with the type that the pipeline declares
//	env.NAME                 a variable that the pipeline declares, a string
//	outputs.STAGE            the output of a dependency: its JSON value, or its text without line ends at the end; nil if it has none
//	outputs["NAME"]          the same, for names that are not words
//	item, index              of an instance of a stage with for_each, or a cell of a matrix
//
// What can be known before the run is an error of [Compile]: unknown names, wrong types, a result that cannot be true or false.
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
	// MaxOutput is the size in bytes of the largest output that a condition can read.
	MaxOutput = 1 << 20
	// maxTime is how long an evaluation may take.
	maxTime = 5 * time.Second
	// maxNodes bounds, with MaxOutput, the memory that an evaluation can take.
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
	params  map[string]any
	env     map[string]string
}

// Compile checks a condition. What is wrong with the text is an [*Error]; other errors are about the values of parameters.
func Compile(source string, s Scope) (*Condition, error) {
	if len(source) > MaxSource {
		return nil, &Error{End: 1, Message: fmt.Sprintf("the condition has %d bytes, and may have %d: let a stage compute it", len(source), MaxSource)}
	}
	reads, err := check(source, s)
	if err != nil {
		return nil, err
	}
	program, err := compile(source, s)
	if err != nil {
		return nil, located(source, err)
	}
	if err := outcome(source, program.Node()); err != nil {
		return nil, err
	}
	c := &Condition{source: source, program: program, reads: reads, params: make(map[string]any), env: s.Env}
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
func compile(source string, s Scope) (program *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the condition cannot be understood: %v", r)
		}
	}()
	return expr.Compile(source, expr.Env(s.types()), expr.AsBool(), expr.Optimize(false), expr.MaxNodes(maxNodes),
		expr.DisableIfOperator(), expr.Patch(stepper{}))
}

var paramTypes = map[string]types.Type{
	spec.String: types.String, spec.Int: types.Int, spec.Float: types.Float64, spec.Bool: types.Bool,
	spec.List: types.Array(types.Any), spec.Object: types.TypeOf(map[string]any{}),
}

func (s Scope) types() types.Map {
	params, env, outputs := types.Map{}, types.Map{}, types.Map{}
	for _, p := range s.Params {
		if params[p.Name] = paramTypes[p.Type]; p.Type == "" {
			params[p.Name] = types.Any // something is wrong with what declares it, and is reported there
		}
	}
	for name := range s.Env {
		env[name] = types.String
	}
	for _, name := range s.Outputs {
		outputs[name] = types.Any
	}
	all := types.Map{"params": params, "env": env, "outputs": outputs, step: types.TypeOf(func() bool { return false })}
	if s.Item {
		all["item"], all["index"] = types.Any, types.Int
	}
	return all
}

// Outputs returns the names of the dependencies whose outputs the condition reads. The caller must not change it.
func (c *Condition) Outputs() []string { return c.reads }

// Values are what differs from one evaluation to the next.
type Values struct {
	Outputs map[string][]byte // by stage, in the stored form of package cache; none for a stage without output
	Item    json.RawMessage
	Index   int
}

// Eval returns what the condition says. It fails when an operation does not suit the values, when they are too large, when ctx is
// done, or after 5 seconds.
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
	outputs := make(map[string]any, len(c.reads))
	for _, name := range c.reads {
		value, err := outputValue(v.Outputs[name])
		if err != nil {
			return false, fmt.Errorf("output of stage %q: %w", name, err)
		}
		outputs[name] = value
	}
	item, err := anyValue(v.Item)
	if err != nil {
		return false, fmt.Errorf("item: %w", err)
	}
	result, err := vm.Run(c.program, map[string]any{"params": c.params, "env": c.env, "outputs": outputs,
		"item": item, "index": v.Index, step: tick(ctx)})
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

// explain says in words what expr says when the result is not true or false.
func explain(message string) error {
	if of, ok := strings.CutPrefix(message, "invalid operation: bool("); ok {
		return fmt.Errorf("it gives %s, not true or false", typeNames.Replace(strings.TrimSuffix(of, ")")))
	}
	return errors.New(typeNames.Replace(message))
}

// tick returns what is called for each element of a list that is gone through: it panics, which ends the evaluation, when ctx is done.
func tick(ctx context.Context) func() bool {
	return func() bool {
		if ctx.Err() != nil {
			panic(context.Cause(ctx))
		}
		return true
	}
}
