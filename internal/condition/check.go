package condition

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"

	"github.com/godags/godags/internal/nearest"
)

// Functions are what a condition can call. None makes a value that is larger than what it is given.
var Functions = []string{
	"abs", "all", "any", "ceil", "count", "filter", "find", "first", "float", "floor", "get", "indexOf", "int", "keys", "last",
	"len", "lower", "max", "mean", "median", "min", "none", "one", "round", "split", "string", "sum", "trim", "type", "upper", "values",
}

// found is what a condition reads that differs from one evaluation to the next.
type found struct {
	reads []string // outputs
	item  bool
}

// check finds what a condition must not have, and what it reads.
func check(source string, s Scope) (*found, error) {
	tree, err := parse(source)
	if err != nil {
		return nil, located(source, err)
	}

	c := &checker{source: source, scope: s, names: []string{"params", "env", "outputs"}, named: make(map[ast.Node]bool)}
	if s.Item {
		c.names = append(c.names, "item", "index")
	}

	ast.Walk(&tree.Node, c)
	if c.err != nil {
		return nil, c.err
	}

	return c.finish()
}

// parse is the parser of expr, of which some versions have panicked on some texts.
func parse(source string) (tree *parser.Tree, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the condition cannot be understood: %v", r)
		}
	}()

	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	expr.DisableIfOperator()(config)
	return parser.ParseWithConfig(source, config)
}

// checker visits the nodes of a condition, those below a node before it.
type checker struct {
	source string
	scope  Scope
	names  []string
	found  found
	roots  []*ast.IdentifierNode // params, env and outputs, wherever they stand
	named  map[ast.Node]bool     // those of them of which a member is named
	err    *Error                // the first one
}

func (c *checker) report(node ast.Node, suggestion, format string, args ...any) {
	if c.err == nil {
		at := node.Location()
		c.err = &Error{offset(c.source, at.From), offset(c.source, max(at.From, at.To)), fmt.Sprintf(format, args...), suggestion}
	}
}

// Visit is called by ast.Walk.
func (c *checker) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		c.identifier(n)
	case *ast.MemberNode:
		c.member(n)
	case *ast.BuiltinNode:
		if !slices.Contains(Functions, n.Name) {
			c.unknownFunction(n, n.Name)
		}
	case *ast.CallNode:
		c.call(n)
	case *ast.BinaryNode:
		if n.Operator == "matches" {
			c.pattern(n.Right)
		}
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		c.err = nil // it may be about a variable
		c.report(n, "", "a condition is one expression and cannot declare variables")
	}
}

// pattern checks that of a matches. It does so before expr compiles it, which takes memory.
func (c *checker) pattern(n ast.Node) {
	text, constant := n.(*ast.StringNode)
	if !constant {
		c.report(n, "", "matches takes a pattern in quotes")
	} else if err := checkPattern(text.Value); err != nil {
		c.report(n, "", "%v", err)
	}
}

func (c *checker) identifier(n *ast.IdentifierNode) {
	switch {
	case n.Value == "params" || n.Value == "env" || n.Value == "outputs":
		c.roots = append(c.roots, n)
	case slices.Contains(c.names, n.Value):
		c.found.item = c.found.item || n.Value == "item"
	case n.Value == "item" || n.Value == "index":
		c.report(n, "", "only a stage with for_each and a cell of a matrix have %s", n.Value)
	case slices.Contains(Functions, n.Value):
		c.report(n, "", "%s is a function: call it", n.Value)
	default:
		c.report(n, nearest.Name(n.Value, c.names), "unknown name %q: a condition knows %s", n.Value, strings.Join(c.names, ", "))
	}
}

// call reports the call of anything but a function in Functions, which the parser knows.
func (c *checker) call(n *ast.CallNode) {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		c.report(n, "", "a condition cannot call this")
		return
	}

	if c.err != nil && c.err.At == offset(c.source, name.Location().From) {
		c.err = nil // it was taken for the name of a value
	}

	c.unknownFunction(n, name.Value)
}

func (c *checker) unknownFunction(n ast.Node, name string) {
	c.report(n, nearest.Name(name, Functions), "unknown function %q: a condition can call %s", name, strings.Join(Functions, ", "))
}

// member checks that what stands behind params, env or outputs is declared.
func (c *checker) member(n *ast.MemberNode) {
	root, ok := n.Node.(*ast.IdentifierNode)
	if !ok || !slices.Contains(c.names[:3], root.Value) {
		return
	}

	c.named[root] = true
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		c.report(n.Property, "", "%s[...] takes a name in quotes", root.Value)
		return
	}

	known, missing := c.declared(root.Value)
	if slices.Contains(known, name.Value) {
		if root.Value == "outputs" && !slices.Contains(c.found.reads, name.Value) {
			c.found.reads = append(c.found.reads, name.Value)
		}
		return
	}

	for _, k := range known {
		if strings.HasPrefix(k, name.Value) && !isWord(k) {
			c.report(name, "", missing+": a name like %s is written %s[%s]", name.Value, strconv.Quote(k), root.Value, strconv.Quote(k))
		}
	}

	c.report(name, nearest.Name(name.Value, known), missing, name.Value)
}

// declared returns the names that may stand behind params, env or outputs, and what to say of
// another one.
func (c *checker) declared(root string) (known []string, missing string) {
	switch root {
	case "params":
		for _, p := range c.scope.Params {
			known = append(known, p.Name)
		}
		return known, "the pipeline declares no parameter %q"
	case "env":
		return slices.Sorted(maps.Keys(c.scope.Env)), "the pipeline declares no variable %q in env"
	}

	return c.scope.Outputs, "the stage does not come after %q, so it has no output of it"
}

func isWord(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// finish looks for params, env and outputs without a name behind them: as a whole they would be
// read as a whole.
func (c *checker) finish() (*found, error) {
	for _, root := range c.roots {
		if !c.named[root] {
			c.report(root, "", "%s needs a name: write %[1]s.NAME or %[1]s[\"NAME\"]", root.Value)
			return nil, c.err
		}
	}
	return &c.found, nil
}
