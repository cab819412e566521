package condition

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// Error is what is wrong with a condition, apart from its values.
type Error struct {
	At, End    int // number of bytes before the place, and before what follows it
	Message    string
	Suggestion string // a name that may be meant, or ""
}

// Error returns the message, with the suggestion.
func (e *Error) Error() string {
	if e.Suggestion == "" {
		return e.Message
	}
	return fmt.Sprintf("%s (did you mean %q?)", e.Message, e.Suggestion)
}

// outcome returns an error if one of the values that an expression may have cannot be true or
// false.
func outcome(source string, n ast.Node) error {
	var either []ast.Node
	switch n := n.(type) {
	case *ast.ConditionalNode:
		either = []ast.Node{n.Exp1, n.Exp2}
	case *ast.BinaryNode:
		if n.Operator == "??" {
			either = []ast.Node{n.Left, n.Right}
		}
	}

	for _, n := range either {
		if err := outcome(source, n); err != nil {
			return err
		}
	}

	if kind := n.Type(); either == nil && kind != nil && kind.Kind() != reflect.Bool && kind.Kind() != reflect.Interface {
		return located(source, &file.Error{Location: n.Location(), Message: fmt.Sprintf("expected bool, but got %v", kind)})
	}

	return nil
}

// located gives an error of expr its place in bytes, and says it in our words.
func located(source string, err error) error {
	e := &Error{Message: err.Error()}
	var at *file.Error
	if errors.As(err, &at) {
		e.Message, e.At, e.End = at.Message, offset(source, at.From), offset(source, max(at.From, at.To))
	}

	kind, isOther := strings.CutPrefix(e.Message, "expected bool, but got ")
	token := unexpected.FindStringSubmatch(e.Message)
	switch {
	case strings.HasPrefix(e.Message, "unexpected token EOF"), e.Message == "unexpected end of expression":
		e.Message, e.At, e.End = "the condition ends in the middle", len(strings.TrimSpace(source)), 0
	case e.Message == "literal not terminated":
		e.Message = "the closing quote is missing"
	case isOther:
		e.Message = "a condition is true or false, and this one is of type " + kind
	case token != nil && strings.Contains(source, "{{"):
		e.Message = "a condition is written without braces around it"
	case token != nil:
		e.Message = "the condition is invalid before " + token[1]
	}

	e.operator(source)
	e.Message = typeNames.Replace(strconvError.ReplaceAllString(e.Message, ""))
	return e
}

// unexpected is how the parser names what it cannot take.
var unexpected = regexp.MustCompile(`unexpected token \w+\("(.*)"\)`)

var (
	strconvError = regexp.MustCompile(`strconv\.\w+: parsing "[^"]*": `)
	typeNames    = strings.NewReplacer("[]interface {}", "list", "map[string]interface {}", "object", "float64", "float", "type unknown", "no known type")
)

// operators are those of other languages, with what they are called here.
var operators = map[string]string{"=": "==", "===": "==", "!==": "!=", "=>": ">=", "=<": "<=", "&": "&&", "=~": "matches", "~=": "matches", "~": "matches",
	"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "<>": "!="}

// operator suggests what an operator is called here that the parser does not know.
func (e *Error) operator(source string) {
	if !strings.HasPrefix(e.Message, "the condition is invalid before") && !strings.HasPrefix(e.Message, "unrecognized character") {
		return
	}

	begin := len(strings.TrimRight(source[:e.At], "=!<>&|~"))
	end := e.At
	for end < len(source) && strings.IndexByte("=!<>&|~", source[end]) >= 0 {
		end++
	}

	if begin == end {
		end = e.End
	}

	if known := operators[source[begin:end]]; known != "" {
		e.At = begin
		e.End = end
		e.Suggestion = known
		e.Message = fmt.Sprintf("there is no operator %s", source[begin:end])
	}
}

// offset returns the number of bytes that the first characters take.
func offset(source string, characters int) int {
	for i := range source {
		if characters == 0 {
			return i
		}
		characters--
	}
	return len(source)
}
