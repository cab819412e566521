//go:build unix

package tasks

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/godags/godags/internal/command"
	"github.com/godags/godags/internal/jsontext"
)

// Text arrives in a variable byte by byte, and anything else as the JSON that it is.
func TestCommand_GetsParametersAndItemsAsTheyAre(t *testing.T) {
	text := rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "\x00") })
	values := rapid.OneOf(text, rapid.SampledFrom([]string{"", " ", "\n", "-0", "1e400", "null", `"quoted"`, "\uFFFD", `\ufffd`, "a\r\nb\n"}))
	others := []string{"9007199254740993", "1e400", "-0", "null", `{"a":1,"b":"\u0000"}`, `["\ud83d\ude00",{}]`, "true"}
	w, err := command.NewWorkspace(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Remove()
	rapid.Check(t, func(t *rapid.T) {
		item := values.Draw(t, "item")
		other := rapid.SampledFrom(others).Draw(t, "other")
		quoted, err := jsontext.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		s := &Stage{Instance: Instance{Item: quoted}, RunParams: map[string]json.RawMessage{"other": json.RawMessage(other), "same": quoted}}
		env := commandEnv([]string{"A=caf\xe9", "GODAGS_ITEM=old"}, commandParams{}, s, w)
		for name, want := range map[string]string{"GODAGS_ITEM": item, "GODAGS_PARAM_SAME": item, "GODAGS_PARAM_OTHER": other, "A": "caf\xe9"} {
			if got := variable(env, name); len(got) != 1 || got[0] != want {
				t.Fatalf("%s is %q, want %q", name, got, want)
			}
		}
	})
}

func variable(env []string, name string) (values []string) {
	for _, entry := range env {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			values = append(values, value)
		}
	}
	return values
}

func TestCommand_RefusesAVariableThatNoProgramCanGet(t *testing.T) {
	a := shell("true")
	a.Item = json.RawMessage(`"a\u0000b"`)
	err := a.do(t)
	if !errors.Is(err, ErrNoRetry) || !strings.Contains(err.Error(), "variable GODAGS_ITEM: it has the character U+0000") {
		t.Errorf("got %v", err)
	}
}

func TestCommand_DoesNotRetryForAnOutputThatIsTooLarge(t *testing.T) {
	a := shell(`truncate -s 67108865 "$GODAGS_OUTPUT"`)
	if err := a.do(t); !errors.Is(err, ErrNoRetry) || !strings.Contains(err.Error(), "67108865 bytes") {
		t.Errorf("got %v", err)
	}
}
