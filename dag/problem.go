package dag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/godags/godags/internal/nearest"
)

// ProblemKind is the kind of a [Problem].
type ProblemKind uint8

// The kinds of problem.
const (
	IllegalName ProblemKind = iota
	DuplicateName
	UnknownDependency
	SelfDependency
	Cycle
)

// Problem is one problem of a pipeline.
type Problem struct {
	Kind  ProblemKind
	Stage StageID // by order of [Builder.Add]
	Name  string  // of the stage
	Dep   int     // index of the dependency with the problem; -1 if the stage itself has it

	Dependency string   // the name given for that dependency
	Suggestion string   // UnknownDependency: the name that was probably meant, or ""
	First      StageID  // DuplicateName: the stage that had the name first
	Path       []string // Cycle: its stages, each waiting for the next; the first is repeated
	Reason     string   // IllegalName: why it is illegal
}

// String returns the problem, the stage, and the suggestion if there is one.
func (p Problem) String() string {
	switch p.Kind {
	case IllegalName:
		return fmt.Sprintf("stage %s: illegal name: %s", quote(p.Name), p.Reason)
	case DuplicateName:
		return fmt.Sprintf("stage %s is defined twice", quote(p.Name))
	case UnknownDependency:
		text := fmt.Sprintf("stage %s comes after %s, which does not exist", quote(p.Name), quote(p.Dependency))
		if p.Suggestion != "" {
			text += fmt.Sprintf(" (did you mean %s?)", quote(p.Suggestion))
		}
		return text

	case SelfDependency:
		return fmt.Sprintf("stage %s comes after itself", quote(p.Name))
	default:
		return "these stages wait for each other: " + cyclePath(p.Path)
	}
}

// cyclePath returns a text such as a -> b -> a, without the middle of a long cycle.
func cyclePath(path []string) string {
	const most = 12
	shown := make([]string, 0, most)
	for i, name := range path {
		switch {
		case len(path) <= most || i < most/2 || i >= len(path)-most/2:
			shown = append(shown, quote(name))
		case i == most/2:
			shown = append(shown, fmt.Sprintf("... %d more ...", len(path)-most))
		}
	}

	return strings.Join(shown, " -> ")
}

// quote quotes a name without control characters, shortened to 80 characters.
func quote(name string) string {
	if utf8.RuneCountInString(name) > 80 {
		name = string([]rune(name)[:77]) + "..."
	}
	return fmt.Sprintf("%q", name)
}

// InvalidError lists all problems of a pipeline, in order of stages.
type InvalidError struct {
	Problems []Problem // never empty
}

// Error lists the first 20 problems, one a line.
func (e *InvalidError) Error() string {
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "invalid pipeline: %d problem(s)", len(e.Problems))
	for i, p := range e.Problems {
		if i == most {
			fmt.Fprintf(&b, "\n  ... and %d more", len(e.Problems)-most)
			break
		}
		b.WriteString("\n  " + p.String())
	}

	return b.String()
}

func invalid(problems []Problem) *InvalidError {
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Stage, b.Stage) })
	return &InvalidError{Problems: problems}
}

// suggest returns the name of another stage that an unknown dependency probably means, or "".
func (b *Builder) suggest(stage int, name string, problems int) string {
	// The search compares with every name, so only the problems that Error shows get a suggestion.
	if problems >= 20 {
		return ""
	}
	return nearest.Name(name, slices.Concat(b.names[:stage], b.names[stage+1:]))
}

// MaxName is the longest name of a stage or pipeline in bytes.
const MaxName = 200

// illegal returns why a name is illegal, or "". Names become parts of file names, URLs and lines on
// terminals.
func illegal(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > MaxName:
		return fmt.Sprintf("it is longer than %d bytes", MaxName)
	case !utf8.ValidString(name):
		return "it is not UTF-8"
	case name == "." || name == "..":
		return "it is a folder's name"
	case strings.ContainsAny(name, `/\`):
		return "it has a slash"
	case strings.TrimSpace(name) != name:
		return "it begins or ends with a space"
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "it has a character that cannot be printed"
	}

	return ""
}

// CheckName returns an error if name is not legal for a stage or pipeline: 1 to [MaxName] bytes of
// printable UTF-8 without slashes, and no space at either end.
func CheckName(name string) error {
	if reason := illegal(name); reason != "" {
		return fmt.Errorf("illegal name %s: %s", quote(name), reason)
	}
	return nil
}
