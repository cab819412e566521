package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godags/godags/internal/nearest"
)

// decodeParams stores the members of the JSON object params in fields, which has a pointer for each
// known name. The error has a line for each mistake.
func decodeParams(params json.RawMessage, fields map[string]any) error {
	if len(params) == 0 {
		return nil
	}

	var members map[string]json.RawMessage
	if err := json.Unmarshal(params, &members); err != nil {
		return fmt.Errorf("params must be an object of names and values: %w", err)
	}

	// Names are sorted, so that the error is always the same.
	known := slices.Sorted(maps.Keys(fields))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(members)) {
		field, ok := fields[name]
		if !ok {
			errs = append(errs, unknownParam(name, known))
		} else if err := json.Unmarshal(members[name], field); err != nil {
			errs = append(errs, wrongType(name, field, err))
		}
	}

	return errors.Join(errs...)
}

func unknownParam(name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("unknown param %q: this task takes none", name)
	}
	if meant := nearest.Name(name, known); meant != "" {
		return fmt.Errorf("unknown param %q: did you mean %q?", name, meant)
	}
	return fmt.Errorf("unknown param %q: this task takes %s", name, strings.Join(known, ", "))
}

// paramType describes the values that a field takes.
func paramType(field any) string {
	switch field.(type) {
	case *[]string:
		return "a list of strings"
	case *[]int:
		return "a list of whole numbers"
	case *map[string]string:
		return "a mapping of names to strings"
	}

	return "a string"
}

func wrongType(name string, field any, err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("param %q must be %s, found: %s", name, paramType(field), wrong.Value)
	}
	return fmt.Errorf("param %q must be %s: %w", name, paramType(field), err)
}
