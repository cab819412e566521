package tasks

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// fakeList are values of which the stage "build" has parts.
type fakeList struct {
	fakeValues
	parts []Part
	err   error // after the parts
}

func (l *fakeList) List(_ context.Context, stage string, each func(Part) error) (bool, error) {
	if stage != "build" {
		return false, nil
	}
	for _, p := range l.parts {
		if err := each(p); err != nil {
			return true, err
		}
	}
	return true, l.err
}

var (
	textPart  = Part{Name: "os=linux", Bytes: []byte("text\n"), JSON: []byte(`"text"`)}
	emptyPart = Part{Name: "os=plan9", None: true, JSON: []byte("null")}
	bytePart  = Part{Name: "os=darwin", Bytes: []byte("\xff")}
)

func TestInputs_PartsAreAnArrayOrAFolder(t *testing.T) {
	for _, c := range []struct {
		name   string
		parts  []Part
		script string
		want   string
	}{
		{"text", []Part{textPart, emptyPart}, `cat build`, `["text",null]`},
		{"bytes last", []Part{textPart, emptyPart, bytePart}, `cd build; ls; od -An -tx1 os=darwin; cat os=linux`, "os=darwin\nos=linux\n ff\ntext\n"},
		{"bytes first", []Part{bytePart, textPart}, `cd build; ls`, "os=darwin\nos=linux\n"},
		{"bytes only", []Part{bytePart}, `ls build`, "os=darwin\n"},
	} {
		a := shell(`cd "$GODAGS_INPUTS"; cat other; ` + c.script)
		a.Values = &fakeList{fakeValues: fakeValues{outputs: map[string]string{"other": "raw\n1\n"}}, parts: c.parts}
		a.After = []string{"build", "other"}
		if got, want := a.must(t), "1\n"+c.want; got != want {
			t.Errorf("%s: the inputs are %q, want %q", c.name, got, want)
		}
	}
}

func TestInputs_PartsThatCannotBeReadFailTheCommand(t *testing.T) {
	for name, list := range map[string]*fakeList{
		"a part is lost":      {parts: []Part{textPart}, err: errors.New("lost")},
		"a name leads out":    {parts: []Part{bytePart, {Name: "../../../escaped", Bytes: []byte("x")}}},
		"a name of no file":   {parts: []Part{bytePart, {Name: "no/folder", Bytes: []byte("x")}}},
		"the first is lost":   {err: errors.New("lost")},
		"lost after the fold": {parts: []Part{bytePart}, err: errors.New("lost")},
	} {
		a := shell("echo ran")
		a.Values, a.After = list, []string{"build"}
		if err := a.do(t); err == nil || !strings.Contains(err.Error(), `input from stage "build"`) || a.log.Len() > 0 {
			t.Errorf("%s: got %v and log %q", name, err, a.log.Bytes())
		}
	}
}
