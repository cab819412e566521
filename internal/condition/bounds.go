package condition

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

const (
	// maxPattern is how many parts the pattern of matches may have, with its repetitions written
	// out: the work for each character of the text, and the memory of the compiled pattern, grow
	// with it.
	maxPattern = 10_000

	// maxMade is about how many bytes the texts, lists and objects that one evaluation makes may
	// take. Without a bound, predicates within predicates double a text with each level: all([o +
	// o], all([# + #], ...)).
	maxMade = 32 << 20

	// maxUnwatched is the number of steps, parts of a pattern times bytes of text, that a match may
	// take without a look at the context: less than a second.
	maxUnwatched = 1 << 25
)

// Names of functions that no condition can name. [bounder] inserts calls of them.
const (
	stepFunc  = "each step"  // before what takes long: ends the evaluation when its context is done
	madeFunc  = "value made" // around what makes a value: counts its size
	matchFunc = "matches text"
)

// makers are the functions that make a value which may be large. The others return a number, or a
// part of what they get.
var makers = []string{"keys", "lower", "split", "string", "trim", "upper", "values"}

// bounder changes a checked expression so that its evaluation ends when the context is done, and
// takes no more than maxMade bytes. What one node does between two looks at the context is linear
// in the values, which are bounded.
type bounder struct {
	patterns map[string]*pattern
}

// Visit is called by ast.Walk, after the nodes below.
func (b bounder) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.PredicateNode:
		n.Node = stepped(n.Node)
	case *ast.BuiltinNode:
		if slices.Contains(makers, n.Name) {
			ast.Patch(node, call(madeFunc, stepped(n)))
		} else {
			ast.Patch(node, stepped(n))
		}

	case *ast.ArrayNode, *ast.MapNode:
		ast.Patch(node, call(madeFunc, n))
	case *ast.BinaryNode:
		b.binary(node, n)
	}
}

func (b bounder) binary(node *ast.Node, n *ast.BinaryNode) {
	switch n.Operator {
	case "matches":
		text := n.Right.(*ast.StringNode).Value // [checker] has seen to that
		if b.patterns[text] == nil {
			b.patterns[text] = compilePattern(text)
		}
		ast.Patch(node, call(matchFunc, n.Left, n.Right))

	case "+":
		if !isScalar(n.Left) && !isScalar(n.Right) {
			ast.Patch(node, call(madeFunc, n))
		}
	case "==", "!=", "in", "contains", "startsWith", "endsWith":
		if !isScalar(n.Left) || !isScalar(n.Right) {
			ast.Patch(node, stepped(n))
		}
	}
}

func stepped(n ast.Node) ast.Node {
	return &ast.SequenceNode{Nodes: []ast.Node{call(stepFunc), n}}
}

func call(name string, args ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args}
}

// isScalar reports whether a node is known to be a number, or true or false.
func isScalar(n ast.Node) bool {
	t := n.Type()
	return t != nil && t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64
}

// pattern is that of a matches.
type pattern struct {
	*regexp.Regexp
	parts int
}

// compilePattern compiles a pattern that checkPattern has seen.
func compilePattern(text string) *pattern {
	parts, _ := countParts(text)
	return &pattern{regexp.MustCompile(text), parts}
}

// checkPattern returns what is wrong with a pattern, without compiling it.
func checkPattern(text string) error {
	parts, err := countParts(text)
	if err == nil && parts > maxPattern {
		err = fmt.Errorf("the pattern is too large: with its repetitions written out it has more than %d parts: use smaller counts", maxPattern)
	}
	return err
}

// countParts returns about how many instructions a pattern is compiled to.
func countParts(text string) (int, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	return partsOf(tree), nil
}

func partsOf(r *syntax.Regexp) int {
	parts := 1
	switch r.Op {
	case syntax.OpLiteral:
		parts = len(r.Rune)
	case syntax.OpConcat, syntax.OpRepeat:
		parts = 0
	}

	for _, sub := range r.Sub {
		parts += partsOf(sub)
	}

	if r.Op == syntax.OpRepeat {
		parts *= max(r.Min, r.Max, 1) // syntax.Parse has refused what would overflow
	}
	return parts
}

// evaluation bounds one evaluation of a condition. Its methods are called from the expression, and
// panic to end it.
type evaluation struct {
	ctx      context.Context
	patterns map[string]*pattern
	made     int // bytes
}

func (e *evaluation) step() bool {
	if e.ctx.Err() != nil {
		panic(context.Cause(e.ctx))
	}
	return true
}

// value counts the size of a value that was made.
func (e *evaluation) value(v any) any {
	e.count(v)
	e.step()
	return v
}

// count goes through a value as if nothing in it were shared: so do comparisons, and the function
// string.
func (e *evaluation) count(v any) {
	const word = 16 // bytes, of an element
	switch v := v.(type) {
	case string:
		e.made += len(v)
	case []any:
		for _, item := range v {
			e.made += word
			e.count(item)
		}

	case map[string]any:
		for key, item := range v {
			e.made += 2*word + len(key)
			e.count(item)
		}

	case []string:
		for _, item := range v {
			e.made += word + len(item)
		}
	case []int:
		e.made += len(v) * word
	}

	if e.made > maxMade {
		panic(fmt.Errorf("the values that it makes take more than %d MiB", maxMade>>20))
	}
}

// matches is the operator of that name.
func (e *evaluation) matches(left, right any) bool {
	text, ok := left.(string)
	switch {
	case left == nil:
		return false
	case !ok:
		panic(fmt.Sprintf("invalid operation: %T matches string", left))
	}

	p := e.patterns[right.(string)]
	if p.parts*len(text) <= maxUnwatched {
		e.step()
		return p.MatchString(text)
	}

	found := p.MatchReader(&watchedReader{Reader: strings.NewReader(text), ctx: e.ctx})
	e.step() // the text may have been cut off
	return found
}

// watchedReader ends when ctx is done. A match takes a time between two characters that is
// proportional to the parts of the pattern, so that it can be stopped there.
type watchedReader struct {
	*strings.Reader
	ctx  context.Context
	read int
}

// ReadRune implements io.RuneReader.
func (r *watchedReader) ReadRune() (rune, int, error) {
	if r.read++; r.read%16 == 0 && r.ctx.Err() != nil {
		return 0, 0, context.Cause(r.ctx)
	}
	return r.Reader.ReadRune()
}
