package spec

import (
	"encoding/json"
	"testing"
	"time"
)

func TestDifferenceNamesWhatDiffers(t *testing.T) {
	type change func(*Builder)
	build := func(changes ...change) *Spec {
		b := &Builder{Name: "p", Settings: Settings{Params: []Param{{Name: "day", Type: String, Value: json.RawMessage(`"today"`)}}}}
		for _, c := range changes {
			c(b)
		}
		if len(b.kindOf) == 0 {
			b.Add("a", nil, Kind{Task: "noop"})
			b.Add("b", []string{"a"}, Kind{Task: "noop"})
		}
		sp, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := sp.Encode()
		if err == nil {
			sp, err = Decode(encoded)
		}
		if err != nil {
			t.Fatal(err)
		}
		return sp
	}
	for want, c := range map[string]change{
		"": func(*Builder) {},
		`another pipeline: the run has "p", not "q"`:           func(b *Builder) { b.Name = "q" },
		`parameter "day": the run has "today", not "tomorrow"`: func(b *Builder) { b.Params[0].Value = json.RawMessage(`"tomorrow"`) },
		`the run also has parameter "day"`:                     func(b *Builder) { b.Params = nil },
		`the run has no parameter "hour"`: func(b *Builder) {
			b.Params = append(b.Params, Param{Name: "hour", Type: Int, Value: json.RawMessage("1")})
		},
		`values: the run has redis, not disk:/data`:          func(b *Builder) { b.Values = "disk:/data" },
		`timeout: the run has 0s, not 1m0s`:                  func(b *Builder) { b.Timeout = time.Minute },
		`the run has another on_failure`:                     func(b *Builder) { b.Stop = true },
		`the run has another env`:                            func(b *Builder) { b.Env = map[string]string{"A": "b"} },
		`another pipeline: the run has no stage "c"`:         func(b *Builder) { add(b, "a", "", "b", "a", "c", "b") },
		`another pipeline: the run also has stage "b"`:       func(b *Builder) { add(b, "a", "") },
		`another pipeline: stage "b" has other dependencies`: func(b *Builder) { add(b, "a", "", "b", "") },
		`another pipeline: stage "a" has another position`:   func(b *Builder) { add(b, "b", "a", "a", "") },
		`another pipeline: stage "a" differs`:                func(b *Builder) { b.Add("a", nil, Kind{Task: "other"}); add(b, "b", "a") },
	} {
		if got := Difference(build(), build(c)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// add adds stages, each with the one that it comes after.
func add(b *Builder, names ...string) {
	for i := 0; i < len(names); i += 2 {
		var after []string
		if names[i+1] != "" {
			after = []string{names[i+1]}
		}
		b.Add(names[i], after, Kind{Task: "noop"})
	}
}

// The spec of the run was encoded, and the other one was not.
func TestDifference_IgnoresHowJSONIsWritten(t *testing.T) {
	build := func(second string) *Spec {
		b := &Builder{Name: "p", Settings: Settings{Params: []Param{{Name: "text", Type: String, Value: json.RawMessage(`"<a> & b"`)}}}}
		b.Add("a", nil, Kind{Task: "command", Params: json.RawMessage(`{"command": "echo x >&2 && cat </dev/null"}`)})
		b.Add("b", nil, Kind{Task: "command", Params: json.RawMessage(second)})
		sp, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return sp
	}
	existing := encoded(build(`{"command":"true"}`))
	for want, now := range map[string]*Spec{
		"":                                    build(`{"command": "true"}`),
		`another pipeline: stage "b" differs`: build(`{"command": "false"}`),
	} {
		if got := Difference(existing, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
