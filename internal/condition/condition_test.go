package condition

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/godags/godags/internal/spec"
)

func scope() Scope {
	return Scope{
		Params: []spec.Param{
			{Name: "seed", Type: spec.Int, Value: json.RawMessage(`42`)},
			{Name: "rate", Type: spec.Float, Value: json.RawMessage(`1`)},
			{Name: "mode", Type: spec.String, Value: json.RawMessage(`"full"`)},
			{Name: "dry", Type: spec.Bool, Value: json.RawMessage(`false`)},
			{Name: "sizes", Type: spec.List, Value: json.RawMessage(`[1, 2.5, "x"]`)},
			{Name: "model", Type: spec.Object, Value: json.RawMessage(`{"depth": 3}`)},
		},
		Env:     map[string]string{"STAGE": "prod"},
		Outputs: []string{"split", "no output", "text", "test[os=a,py=1]", "exact"},
		Item:    true,
	}
}

func values() Values {
	return Values{
		Outputs: map[string][]byte{
			"split":           []byte("json\n" + `{"rows": 120, "share": 0.25, "names": ["a", "b"]}`),
			"text":            []byte("raw\nyes\n"),
			"test[os=a,py=1]": []byte("raw\n 7\n"),
			"exact":           []byte("raw\n[9007199254740993, 1e23, -0]"),
		},
		Item:  json.RawMessage(`{"os": "a"}`),
		Index: 3,
	}
}

func TestWhatAConditionSays(t *testing.T) {
	for source, want := range map[string]bool{
		`true`:                                 true,
		`params.seed > 1`:                      true,
		`params.seed == 42 and not params.dry`: true,
		`params.rate == 1.0 && params.rate / 2 < 1`:              true,
		`params.mode in ["full", "half"]`:                        true,
		`params.mode matches "^f.l+$"`:                           true,
		`params.mode startsWith "h"`:                             false,
		`len(params.sizes) == 3 && params.sizes[1] > 2`:          true,
		`params.model.depth + 1 == 4`:                            true,
		`params["model"]["height"] == nil`:                       true,
		`params.model?.height?.width == nil`:                     true,
		`env.STAGE == "prod" ? true : false`:                     true,
		`outputs.split.rows >= 100`:                              true,
		`outputs.split.share < 0.2`:                              false,
		`all(outputs.split.names, len(#) == 1)`:                  true,
		`count(outputs.split.names, # == "a") == 1`:              true,
		`outputs.split.names | any(# == "c")`:                    false,
		`sum(params.sizes[:2], # * 2) == 7`:                      true,
		`outputs["no output"] == nil`:                            true,
		`(outputs["no output"] ?? 5) == 5`:                       true,
		`outputs.text == "yes"`:                                  true,
		`outputs["test[os=a,py=1]"] == 7`:                        true,
		`item.os == "a" && index % 2 == 1`:                       true,
		`outputs.split.is_good ?? false`:                         false,
		`outputs.exact[0] == 9007199254740993`:                   true,
		`outputs.exact[0] == 9007199254740992`:                   false,
		`outputs.exact[1] == 1e23 && outputs.exact[2] == 0`:      true,
		`find(outputs.split.names, # > "a") == "b"`:              true,
		`filter(1..10, # % params.seed == 0) == [] or index < 0`: true,
	} {
		c, err := Compile(source, scope())
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := c.Eval(t.Context(), values()); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", source, got, err, want)
		}
	}
}

func TestWhatIsWrongIsKnownBeforeTheRun(t *testing.T) {
	for source, want := range map[string]string{
		``:                           `^: the condition ends in the middle`,
		`params.sed > 1`:             `params.^sed > 1: the pipeline declares no parameter "sed" (did you mean "seed"?)`,
		`parms.seed > 1`:             `^parms.seed > 1: unknown name "parms": a condition knows params, env, outputs, item, index (did you mean "params"?)`,
		`env.HOME == ""`:             `env.^HOME == "": the pipeline declares no variable "HOME" in env`,
		`outputs.spilt.rows`:         `outputs.^spilt.rows: the stage does not come after "spilt", so it has no output of it (did you mean "split"?)`,
		`outputs.no == nil`:          `outputs.^no == nil: the stage does not come after "no", so it has no output of it: a name like "no output" is written outputs["no output"]`,
		`outputs == nil`:             `^outputs == nil: outputs needs a name: write outputs.NAME or outputs["NAME"]`,
		`outputs[params.mode]`:       `outputs[params.^mode]: outputs[...] takes a name in quotes`,
		`params.seed`:                `^params.seed: a condition is true or false, and this one is of type int`,
		`params.mode > 1`:            `params.mode ^> 1: invalid operation: > (mismatched types string and int)`,
		`"é" + 1 == ""`:              `"é" ^+ 1 == "": invalid operation: + (mismatched types string and int)`,
		`params.seed ==`:             `params.seed ==^: the condition ends in the middle`,
		`len(params.seed)>1`:         `^len(params.seed)>1: invalid argument for len (type int)`,
		`not params.seed`:            `^not params.seed: invalid operation: not (mismatched type int)`,
		`repeat("a", 9)=="a"`:        `^repeat("a", 9)=="a": unknown function "repeat": a condition can call abs, `,
		`lenn("a") == 1`:             `^lenn("a") == 1: unknown function "lenn"`,
		`"a".len() == 1`:             `"a".^len() == 1: a condition cannot call this`,
		`len == 1`:                   `^len == 1: len is a function: call it`,
		`let x = 1; x == 1`:          `let ^x = 1; x == 1: a condition is one expression and cannot declare variables`,
		`true; false`:                `a condition is one expression`,
		`$env.params == nil`:         `^$env.params == nil: unknown name "$env"`,
		`"a" matches env.STAGE`:      `matches takes a pattern in quotes`,
		`"a" matches "("`:            "error parsing regexp: missing closing ): `(`",
		"true &&\n\tfalse &":         "false ^&: there is no operator & (did you mean \"&&\"?)",
		`params.seed = 42`:           `params.seed ^= 42: there is no operator = (did you mean "=="?)`,
		`params.seed => 42`:          `params.seed ^=> 42: there is no operator => (did you mean ">="?)`,
		`params.seed === 42`:         `params.seed ^=== 42: there is no operator === (did you mean "=="?)`,
		`env.STAGE =~ "x"`:           `env.STAGE ^=~ "x": there is no operator =~ (did you mean "matches"?)`,
		`true AND false`:             `true ^AND false: there is no operator AND (did you mean "and"?)`,
		`true 5`:                     `true ^5: the condition is invalid before 5`,
		`"a`:                         `the closing quote is missing`,
		`params.`:                    `params.^: the condition ends in the middle`,
		`${{ params.seed > 1 }}`:     `a condition is written without braces around it`,
		`params.seed > 1 ? true : 5`: `params.seed > 1 ? true : ^5: a condition is true or false, and this one is of type int`,
		`params.seed ?? true`:        `params.^seed ?? true: a condition is true or false, and this one is of type int`,
		`params.sizes == 1`:          `params.sizes ^== 1: invalid operation: == (mismatched types list and int)`,
		`1 > 99999999999999999999`:   `1 > 9999999999999999999^9: invalid integer literal: value out of range`,
	} {
		_, err := Compile(source, scope())
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s gives %v", source, err)
			continue
		}
		got := source[:e.At] + "^" + source[e.At:] + ": " + e.Error()
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	}
	if _, err := Compile(strings.Repeat("!", 5000)+"true", scope()); err == nil || !strings.Contains(err.Error(), "may have 4096") {
		t.Error(err)
	}
	if _, err := Compile(`item.a == 1`, Scope{}); err == nil || err.Error() != "only a stage with for_each and a cell of a matrix have item" {
		t.Error(err)
	}
}

func TestWhatDoesNotSuitTheValuesIsAnError(t *testing.T) {
	v := values()
	v.Outputs["text"] = append([]byte("raw\n"), make([]byte, MaxOutput+1)...)
	for source, want := range map[string]string{
		`outputs.split.rows`:             `it gives int, not true or false`,
		`outputs.split.rows.x == 1`:      `cannot fetch x from int`,
		`outputs["no output"].x == 1`:    `cannot fetch x from <nil>`,
		`outputs.split.names[5] == ""`:   `index out of range: 5 (array length is 2)`,
		`outputs.split.names > 1`:        `invalid operation: list > int`,
		`outputs.text == ""`:             `output of stage "text": it has 1048577 bytes, and a condition reads at most 1048576`,
		`len(1..2000000) > 1`:            `memory budget exceeded`,
		`all(1..1000, len(1..5000) > 1)`: `memory budget exceeded`,
	} {
		c, err := Compile(source, scope())
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if _, err := c.Eval(t.Context(), v); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), fmt.Sprintf("condition %q: ", source)) {
			t.Errorf("%s: %v, want %s", source, err, want)
		}
	}
}

// Loops in loops over a long list would take years.
func TestAnEvaluationEndsWithItsContext(t *testing.T) {
	c, err := Compile(`all(outputs.a, all(outputs.a, all(outputs.a, true)))`, Scope{Outputs: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the run was cancelled"))
	long := Values{Outputs: map[string][]byte{"a": []byte("json\n[" + strings.Repeat("1,", MaxOutput/2-2) + "1]")}}
	if _, err := c.Eval(ctx, long); err == nil || !strings.Contains(err.Error(), "the run was cancelled") {
		t.Error(err)
	}
}

func TestOnlyWhatIsReadIsAskedFor(t *testing.T) {
	c, err := Compile(`outputs.split.rows > 1 && outputs["no output"] == nil && outputs.split != nil`, scope())
	if err != nil || fmt.Sprint(c.Outputs()) != "[split no output]" {
		t.Fatal(c.Outputs(), err)
	}
}

func TestAConditionIsEvaluatedByManyAtOnce(t *testing.T) {
	c, err := Compile(`count(outputs.split.names, # == "a") == 1 && index == 3`, scope())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if holds, err := c.Eval(t.Context(), values()); !holds || err != nil {
					t.Errorf("%v, %v", holds, err)
				}
			}
		})
	}
	all.Wait()
}

// No text can crash the compiler, and nothing that it accepts the evaluation.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`params.seed > 1`, `outputs["no output"] ?? item.x == "é"`, `all(1..3, # in params.sizes)`, `let x = 1; x`,
		`"a" matches "("`, `{"a": [1, 2.5e3]}.a[0:1] == nil`, `map(1..2, {#}) | reduce(#acc + #)`, "`x` + 'y' not in env.STAGE", `1 / 0 == 5 % 0`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		c, err := Compile(source, scope())
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.At < 0 || e.At > len(source) {
				t.Fatalf("%v", err)
			}
			return
		}
		_, _ = c.Eval(t.Context(), values()) // it may fail, but it returns
	})
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(`params.seed > 1 && outputs.split.rows > 100`, scope()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	c, err := Compile(`params.seed > 1 && outputs.split.rows > 100`, scope())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.Eval(b.Context(), values()); err != nil {
			b.Fatal(err)
		}
	}
}

// A condition that would compare another value fails.
func TestCondition_RefusesValuesThatItWouldChange(t *testing.T) {
	c, err := Compile(`outputs.text == "a"`, scope())
	if err != nil {
		t.Fatal(err)
	}
	for output, want := range map[string]string{
		"raw\n\"caf\xe9\"":                   "not UTF-8",
		"raw\n[\"\\udce9\"]":                 "half of a surrogate pair",
		"raw\n{\"a\":1,\"a\":2}":             `the name "a" twice`,
		"raw\n[18446744073709551615]":        "the whole number 18446744073709551615 has more digits",
		"raw\n[1e400]":                       "1e400",
		"json\n{\"n\":-9223372036854775809}": "more digits",
		"raw\ncaf\xe9":                       "neither JSON nor text",
	} {
		if _, err := c.Eval(t.Context(), Values{Outputs: map[string][]byte{"text": []byte(output)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", output, err, want)
		}
	}
}
