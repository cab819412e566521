package condition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/spec"
)

// paramValue returns the value of a parameter in the Go type that its declaration promises.
func paramValue(p spec.Param) (any, error) {
	v, err := anyValue(p.Value)
	if err != nil {
		return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
	}
	if n, ok := v.(int); ok && p.Type == spec.Float {
		return float64(n), nil
	}
	return v, nil
}

// outputValue returns what a stage has left: JSON as its value, other text as text.
func outputValue(stored []byte) (any, error) {
	if stored == nil {
		return nil, nil
	}

	codec, payload, err := cache.Split(stored)
	if err != nil {
		return nil, err
	}
	if err := checkSize(payload); err != nil {
		return nil, err
	}

	switch {
	case codec == cache.JSON.Name():
		return anyValue(payload)
	case codec != cache.Raw.Name():
		return nil, fmt.Errorf("a condition cannot read the codec %s", codec)
	case json.Valid(payload):
		return anyValue(payload)
	case utf8.Valid(payload):
		return strings.TrimRight(string(payload), "\r\n"), nil
	}

	return nil, errors.New("it is neither JSON nor text")
}

// itemValue returns the value of an element of a list.
func itemValue(data []byte) (any, error) {
	if err := checkSize(data); err != nil {
		return nil, err
	}
	return anyValue(data)
}

func checkSize(data []byte) error {
	if len(data) > MaxOutput {
		return fmt.Errorf("it has %d bytes, and a condition reads at most %d: let the stage put out what matters", len(data), MaxOutput)
	}
	return nil
}

// anyValue decodes JSON with whole numbers as int.
func anyValue(data []byte) (any, error) {
	if len(data) == 0 {
		return nil, nil
	}

	if err := errors.Join(jsontext.Check(data), jsontext.CheckMembers(data)); err != nil {
		return nil, err
	}

	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("text follows the JSON value")
	}

	return natural(v)
}

// natural replaces numbers in their written form by int or float64.
func natural(v any) (_ any, err error) {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.Atoi(v.String()); err == nil {
			return i, nil
		}

		if i, whole := new(big.Int).SetString(v.String(), 10); whole {
			if _, accuracy := new(big.Float).SetInt(i).Float64(); accuracy != big.Exact {
				return nil, fmt.Errorf("the whole number %.40s has more digits than a condition can compare: let the stage put it out as text", v)
			}
		}

		return v.Float64()

	case []any:
		for i := range v {
			if v[i], err = natural(v[i]); err != nil {
				return nil, err
			}
		}

	case map[string]any:
		for k := range v {
			if v[k], err = natural(v[k]); err != nil {
				return nil, err
			}
		}
	}

	return v, nil
}
