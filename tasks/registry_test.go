package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func nothing(context.Context, *Stage) error { return nil }

func TestRegister(t *testing.T) {
	r := NewRegistry()
	for _, name := range []string{"train", "wine/load data", "größe", strings.Repeat("x", 512)} {
		if err := r.Register(name, HandlerFunc(nothing)); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
		if _, err := r.Lookup(name); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	for _, test := range []struct {
		name string
		h    Handler
		want string
	}{
		{"", HandlerFunc(nothing), "empty"},
		{" x", HandlerFunc(nothing), "space"},
		{"x\x1b[31m", HandlerFunc(nothing), "cannot be printed"},
		{"x\xff", HandlerFunc(nothing), "UTF-8"},
		{strings.Repeat("x", 513), HandlerFunc(nothing), "512"},
		{"nil", nil, "nil"},
		{"nil func", HandlerFunc(nil), "nil"},
		{"noop", HandlerFunc(nothing), "taken"},
		{"train", HandlerFunc(nothing), "taken"},
	} {
		if err := r.Register(test.name, test.h); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Register(%.20q) = %v, want %s", test.name, err, test.want)
		}
	}
}

func TestNames(t *testing.T) {
	if got, want := NewRegistry().Names(), []string{"command", "noop", "sleep"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUnknownTask(t *testing.T) {
	r := NewRegistry()
	_, err := r.Lookup("slep")
	var unknown *UnknownError
	if !errors.Is(err, ErrUnknownTask) || !errors.As(err, &unknown) || unknown.Suggestion != "sleep" {
		t.Fatalf("got %v", err)
	}
	if want := `unknown task "slep": did you mean "sleep"? (this program knows command, noop, sleep)`; err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for i := range 9 {
		if err := r.Register(fmt.Sprintf("a%d", i), HandlerFunc(nothing)); err != nil {
			t.Fatal(err)
		}
	}
	err = r.Validate("quite different", nil)
	if want := `unknown task "quite different" (this program knows a0, a1, a2, a3, a4, a5, a6, a7, a8, command and 2 more)`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestValidate(t *testing.T) {
	r := NewRegistry()
	if err := r.Register("free", HandlerFunc(nothing)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ task, params, want string }{
		{"free", `{"x":1}`, ""},
		{"noop", ``, ""},
		{"noop", `{}`, ""},
		{"noop", `null`, ""},
		{"noop", `{"x":1}`, `task noop: unknown param "x": this task takes none`},
		{"noop", `[1]`, `params must be an object`},
		{"noop", `{`, `params must be an object`},
		{"sleep", `{"duration":"20ms"}`, ""},
		{"sleep", `{"duration":"0s"}`, ""},
		{"sleep", ``, `param "duration" is missing`},
		{"sleep", `{"duration":null}`, `param "duration" is missing`},
		{"sleep", `{"duration":"-1s"}`, `must not be negative`},
		{"sleep", `{"duration":"20"}`, `param "duration" is "20": give one such as "20ms"`},
		{"sleep", `{"duration":20}`, `param "duration" must be a string, found: number`},
		{"sleep", `{"durations":"20ms"}`, `unknown param "durations": did you mean "duration"?`},
		{"sleep", `{"duration":1,"zzzzz":1}`, "found: number\nunknown param \"zzzzz\": this task takes duration"},
		{"command", `{"run":"true"}`, ""},
		{"command", `{"argv":["true"]}`, ""},
		{"command", ``, `a param is missing: give "run"`},
		{"command", `{"run":""}`, `a param is missing: give "run"`},
		{"command", `{"run":"true","argv":["true"]}`, `exclude each other`},
		{"command", `{"argv":[]}`, `names no program`},
		{"command", `{"argv":["","x"]}`, `names no program`},
		{"command", `{"argv":"ls -l"}`, `param "argv" must be a list of strings, found: string`},
		{"command", `{"argv":["head",1]}`, `param "argv" must be a list of strings, found: number`},
		{"command", `{"run":["ls"]}`, `param "run" must be a string, found: array`},
		{"command", `{"rum":"ls"}`, `did you mean "run"?`},
		{"command", `{"run":"echo \u0000"}`, `NUL`},
	} {
		err := r.Validate(test.task, json.RawMessage(test.params))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s %s: got %v, want %q", test.task, test.params, err, test.want)
		}
		if h, _ := r.Lookup(test.task); test.want != "" && test.task != "noop" && h.Handle(t.Context(), &Stage{Params: json.RawMessage(test.params)}) == nil {
			t.Errorf("%s %s: is invalid, yet it can be executed", test.task, test.params)
		}
	}
}

func TestSleep(t *testing.T) {
	before := time.Now()
	if err := (sleep{}).Handle(t.Context(), &Stage{Params: json.RawMessage(`{"duration":"3ms"}`)}); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(before); d < 3*time.Millisecond {
		t.Errorf("slept for %v", d)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errFake)
	if err := (sleep{}).Handle(ctx, &Stage{Params: json.RawMessage(`{"duration":"24h"}`)}); err != errFake {
		t.Errorf("got %v, want the cause at once", err)
	}
}
