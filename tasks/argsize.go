package tasks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// MaxVariable is how many bytes a variable of a command can have with its name and "=", which is
// also the most that one argument can have. It is what Linux takes: 128 KiB with the zero at the
// end.
const MaxVariable = 128<<10 - 1

// checkSizes names what is too long to be handed to a program. The system would say "argument list
// too long", and not which.
func checkSizes(argv, env []string) error {
	for i, arg := range argv {
		if len(arg) > MaxVariable {
			return NoRetry(fmt.Errorf("argument %d of the command has %d bytes, the limit is %d: hand it over in a file", i, len(arg), MaxVariable))
		}
	}

	for _, entry := range env {
		if len(entry) > MaxVariable {
			name, value, _ := strings.Cut(entry, "=")
			return NoRetry(variableTooLong(name, value))
		}
	}

	return nil
}

func variableTooLong(name, value string) error {
	return fmt.Errorf("the variable %s of the command has %d bytes, the limit is %d with its name: hand it over in a file, and give the path",
		name, len(value), MaxVariable)
}

// explainSize says of what there is most.
func explainSize(argv, env []string) string {
	size := func(list []string) (sum int) {
		for _, s := range list {
			sum += len(s) + 1
		}
		return sum
	}

	largest := slices.SortedFunc(slices.Values(env), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	names := make([]string, 0, 3)
	for _, entry := range largest[:min(len(largest), cap(names))] {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, fmt.Sprintf("%s (%d bytes)", name, len(entry)))
	}

	return fmt.Sprintf("%d bytes of arguments and %d bytes of variables are more than this worker takes together (a quarter of ulimit -s): hand them over in files; the longest variables are %s",
		size(argv), size(env), strings.Join(names, ", "))
}
