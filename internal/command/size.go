package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/godags/godags/internal/fault"
)

// MaxVariable is the largest size in bytes of one argument, and of one variable with its name and
// "=". It is the limit of Linux: 128 KiB with the final zero.
const MaxVariable = 128<<10 - 1

// checkSizes names an argument or a variable that is too long. The error of the system, "argument
// list too long", does not say which. Another attempt would get the same ones.
func checkSizes(argv, env []string) error {
	for i, arg := range argv {
		if len(arg) > MaxVariable {
			return fault.NoRetry(fmt.Errorf("argument %d of the command has %d bytes, the limit is %d: pass it in a file",
				i, len(arg), MaxVariable))
		}
	}

	for _, entry := range env {
		if len(entry) > MaxVariable {
			name, value, _ := strings.Cut(entry, "=")
			return fault.NoRetry(VariableTooLong(name, value))
		}
	}

	return nil
}

// VariableTooLong is the error for a variable that is larger than [MaxVariable].
func VariableTooLong(name, value string) error {
	return fmt.Errorf("the variable %s of the command has %d bytes, the limit is %d with its name: "+
		"pass it in a file, and give the path",
		name, len(value), MaxVariable)
}

// explainSize says how large arguments and variables are together, and names the largest variables.
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

	return fmt.Sprintf("%d bytes of arguments and %d bytes of variables are more than this worker takes together "+
		"(a quarter of ulimit -s): pass them in files; the longest variables are %s",
		size(argv), size(env), strings.Join(names, ", "))
}

// checkNUL returns an error for a variable that no program can get. Another attempt would get the
// same ones.
func checkNUL(env []string) error {
	for _, variable := range env {
		if strings.Contains(variable, "\x00") {
			name, _, _ := strings.Cut(variable, "=")
			return fault.NoRetry(fmt.Errorf("variable %s: it has the character U+0000, which no variable can have: "+
				"pass it in a file", name))
		}
	}
	return nil
}
