package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/godags/godags/internal/nearest"
)

// ErrUnknownTask is in the chain of every [UnknownError].
var ErrUnknownTask = errors.New("unknown task")

// Validator is a [Handler] that can check a stage's parameters before anything runs.
type Validator interface {
	// Validate returns an error that names every parameter that is unknown, missing or of the wrong
	// type. The argument is a JSON object, or nil if there are no parameters.
	Validate(params json.RawMessage) error
}

// Registry maps the names of tasks to their handlers. Call Register and Use first. The other
// methods may then be called from many goroutines, but none of them together with Register or Use.
type Registry struct {
	handlers   map[string]Handler // by task, as they were registered
	wrapped    map[string]Handler // by task, inside the middleware
	middleware []Middleware
}

// NewRegistry returns a registry that knows the built-in tasks noop, sleep and command.
func NewRegistry() *Registry {
	builtin := map[string]Handler{
		"noop":    noop{},
		"sleep":   sleep{},
		"command": Command{},
	}
	return &Registry{handlers: builtin, wrapped: maps.Clone(builtin)}
}

// Use wraps every handler in the middleware, including the built-in ones and those that are
// registered later. The first middleware is the outermost. Another call adds middleware inside that
// of the calls before.
func (r *Registry) Use(middleware ...Middleware) {
	r.middleware = append(r.middleware, middleware...)
	for name, h := range r.handlers {
		r.wrapped[name] = Wrap(h, r.middleware...)
	}
}

// Register adds a task. A name is 1 to 512 bytes of printable UTF-8, with no space at either end,
// and can be used once.
func (r *Registry) Register(name string, h Handler) error {
	if rule := brokenRule(name); rule != "" {
		return fmt.Errorf("register task %q: illegal name: %s", name, rule)
	}

	if f, isFunc := h.(HandlerFunc); h == nil || isFunc && f == nil {
		return fmt.Errorf("register task %q: the handler is nil", name)
	}
	if _, taken := r.handlers[name]; taken {
		return fmt.Errorf("register task %q: the name is taken: choose another one", name)
	}

	// Handlers are wrapped here and not in Lookup, which is called for every attempt.
	r.handlers[name] = h
	r.wrapped[name] = Wrap(h, r.middleware...)
	return nil
}

// Lookup returns the handler of a task inside the middleware, or an [*UnknownError].
func (r *Registry) Lookup(name string) (Handler, error) {
	if h, ok := r.wrapped[name]; ok {
		return h, nil
	}
	known := r.Names()
	return nil, &UnknownError{Task: name, Suggestion: nearest.Name(name, known), Known: known}
}

// Has reports whether there is a task of that name.
func (r *Registry) Has(name string) bool {
	_, ok := r.handlers[name]
	return ok
}

// Names returns the names of all tasks, sorted.
func (r *Registry) Names() []string {
	return slices.Sorted(maps.Keys(r.handlers))
}

// Validate checks the parameters of a stage that executes task. It returns an [*UnknownError] if
// there is no such task, and nil if the task's handler is not a [Validator].
func (r *Registry) Validate(task string, params json.RawMessage) error {
	if _, err := r.Lookup(task); err != nil {
		return err
	}

	// Middleware hides the other methods of a handler, so this is the handler itself.
	if v, ok := r.handlers[task].(Validator); ok {
		if err := v.Validate(params); err != nil {
			return fmt.Errorf("task %s: %w", task, err)
		}
	}

	return nil
}

// UnknownError is the error for a task that a program does not have. It is [ErrUnknownTask].
type UnknownError struct {
	Task       string   // the name asked for
	Suggestion string   // the known name that is most similar, or ""
	Known      []string // the names of all tasks, sorted
}

// Error names the task, the suggestion and the first ten known tasks.
func (e *UnknownError) Error() string {
	// A program may have thousands of tasks, and the message must fit on a screen.
	const most = 10
	var b strings.Builder
	fmt.Fprintf(&b, "%v %q", ErrUnknownTask, e.Task)
	if e.Suggestion != "" {
		fmt.Fprintf(&b, ": did you mean %q?", e.Suggestion)
	}

	fmt.Fprintf(&b, " (this program knows %s", strings.Join(e.Known[:min(most, len(e.Known))], ", "))
	if more := len(e.Known) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String() + ")"
}

// Is makes errors.Is(err, ErrUnknownTask) true.
func (e *UnknownError) Is(target error) bool { return target == ErrUnknownTask }

// brokenRule returns the rule for names of tasks that the name breaks, or "".
func brokenRule(name string) string {
	const maxName = 512 // bytes
	switch {
	case name == "":
		return "it is empty"
	case len(name) > maxName:
		return fmt.Sprintf("it is longer than %d bytes", maxName)
	case !utf8.ValidString(name):
		return "it is not UTF-8"
	case strings.TrimSpace(name) != name:
		return "it begins or ends with a space"
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "it has a character that cannot be printed"
	}

	return ""
}
