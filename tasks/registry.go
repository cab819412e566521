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

// ErrUnknownTask is what every [UnknownError] is.
var ErrUnknownTask = errors.New("unknown task")

// Validator is a [Handler] that can check a stage's parameters before anything runs.
type Validator interface {
	// Validate returns an error that names every parameter that is unknown, missing or of the wrong
	// type. params is a JSON object, or nil for none.
	Validate(params json.RawMessage) error
}

// Registry maps the names of tasks to their handlers. Register everything first: the other methods
// may then be called from many goroutines, but none of them together with Register.
type Registry struct {
	handlers   map[string]Handler // as they were registered
	wrapped    map[string]Handler // the same ones inside the middleware
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

// Use wraps every handler, also those that are registered later. The first middleware is the
// outermost. Another call adds to the ones before, inside them.
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

	r.handlers[name] = h
	// Wrapped once and not at each Lookup, which every attempt makes.
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

// Validate checks the parameters of a stage that executes task. It returns an [*UnknownError] when
// there is no such task, and nil when the task's handler is not a [Validator].
func (r *Registry) Validate(task string, params json.RawMessage) error {
	if _, err := r.Lookup(task); err != nil {
		return err
	}

	// Middleware hides the methods of what it wraps, so the handler itself is asked.
	if v, ok := r.handlers[task].(Validator); ok {
		if err := v.Validate(params); err != nil {
			return fmt.Errorf("task %s: %w", task, err)
		}
	}

	return nil
}

// UnknownError says that a program has no task of some name. It is [ErrUnknownTask].
type UnknownError struct {
	Task       string   // the name asked for
	Suggestion string   // the known name that was probably meant, or ""
	Known      []string // the names of all tasks, sorted
}

// Error names the task, the suggestion and the first ten known tasks.
func (e *UnknownError) Error() string {
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

// Is makes errors.Is(err, ErrUnknownTask) hold.
func (e *UnknownError) Is(target error) bool { return target == ErrUnknownTask }

// brokenRule returns the rule for names of tasks that name breaks, or "".
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
