//go:build unix

package tasks

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandParams(t *testing.T) {
	for params, want := range map[string]string{
		`{"run": "true", "dir": "/tmp", "env": {"A": "1"}, "shell": ["bash", "-c"], "no_retry_codes": [3]}`: "",
		`{"argv": ["true"], "dir": "/tmp", "env": {}, "no_retry_codes": []}`:                                "",

		`{}`:                             `a param is missing: give "run", a text for the shell, or "argv", a list of program and arguments`,
		`{"run": "a", "argv": ["b"]}`:    `params "run" and "argv" exclude each other: give one`,
		`{"argv": ["a"], "shell":["b"]}`: `param "shell" is of no use with "argv": it says what executes "run"`,
		`{"argv": []}`:                   `param "argv" names no program`,
		`{"run": "a", "shell": []}`:      `param "shell" names no program: give one such as ["bash", "-c"]`,
		`{"run": "a", "shell": "bash"}`:  `param "shell" must be a list of strings, found: string`,
		`{"run": "a", "dir": 1}`:         `param "dir" must be a string, found: number`,
		`{"run": "a\u0000"}`:             "a command cannot contain a NUL character",
		`{"run": "a", "env": ["A"]}`:     `param "env" must be a mapping of names to strings, found: array`,
		`{"run": "a", "env": {"A": 1}}`:  `param "env" must be a mapping of names to strings, found: number`,
		`{"run": "a", "env": {"": "", "A=B": "", "GODAGS_RUN": "", "C": "\u0000"}}`: `param "env": "" cannot be the name of a variable
param "env": "A=B" cannot be the name of a variable
param "env": the value of C contains a NUL character
param "env": GODAGS_RUN cannot be set, names that begin with GODAGS_ are given by the worker`,
		`{"run": "a", "no_retry_codes": 3}`:            `param "no_retry_codes" must be a list of whole numbers, found: number`,
		`{"run": "a", "no_retry_codes": [1.5]}`:        `param "no_retry_codes" must be a list of whole numbers, found: number 1.5`,
		`{"run": "a", "no_retry_codes": [0]}`:          `param "no_retry_codes": 0 is no exit status of a failure: give numbers from 1 to 255`,
		`{"run": "a", "dri": "/", "nope": 1, "dir":1}`: "param \"dir\" must be a string, found: number\nunknown param \"dri\": did you mean \"dir\"?\nunknown param \"nope\": this task takes argv, dir, env, no_retry_codes, run, shell",
	} {
		got := ""
		if err := (Command{}).Validate(json.RawMessage(params)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", params, got, want)
		}
	}
}

func TestCommandFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tool"), []byte("#!/bin/sh\npwd; echo $PWD\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, want := newAttempt(map[string]any{"argv": []string{"./tool"}, "dir": dir}).must(t), dir+"\n"+dir+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	err := newAttempt(map[string]any{"run": "true", "dir": dir + "/none"}).do(t)
	if err == nil || !strings.Contains(err.Error(), dir+"/none") || !strings.Contains(err.Error(), "not a folder on this worker") {
		t.Errorf("got %v, want an error that names the folder", err)
	}
}

func TestCommandShell(t *testing.T) {
	a := newAttempt(map[string]any{"run": "text", "shell": []string{"sh", "-c", `echo "$0 <$1>"`, "shell"}})
	if got := a.must(t); got != "shell <text>\n" {
		t.Errorf("got %q", got)
	}
}

func TestCommandThatMustNotBeRetried(t *testing.T) {
	for run, want := range map[string]bool{"exit 3": true, "exit 4": false, "kill -KILL $$": true, "kill -SEGV $$": false} {
		err := newAttempt(map[string]any{"run": run, "no_retry_codes": []int{3, 137}}).do(t)
		if err == nil || errors.Is(err, ErrNoRetry) != want {
			t.Errorf("%s: got %v, not to be retried: %v", run, err, errors.Is(err, ErrNoRetry))
		}
	}
}

// The stage's own env wins over the pipeline's, secrets over both, and what begins with GODAGS_ is
// always ours.
func TestCommandVariables(t *testing.T) {
	t.Setenv("LEVEL", "worker")
	t.Setenv("GODAGS_ITEM", "of an outer run")
	a := newAttempt(map[string]any{"run": "env | grep -e ^GODAGS_PARAM_ -e ^GODAGS_PIPELINE= -e ^GODAGS_I -e ^LEVEL -e ^PIPELINE_LEVEL -e ^TOKEN | grep -v INPUTS | sort", "env": map[string]string{"LEVEL": "stage", "TOKEN": "stage"}})
	a.Env = map[string]string{"LEVEL": "pipeline", "PIPELINE_LEVEL": "1"}
	a.Secrets = map[string]string{"TOKEN": "a secret"}
	a.RunParams = map[string]json.RawMessage{"seed": json.RawMessage("42"), "Name": json.RawMessage(`"two words"`), "null": json.RawMessage("null")}
	a.Item, a.Index = json.RawMessage(`{"os": "a", "py": 3.10, "no word": 1, "": 2}`), 7
	want := `GODAGS_INDEX=7
GODAGS_ITEM={"os": "a", "py": 3.10, "no word": 1, "": 2}
GODAGS_ITEM_OS=a
GODAGS_ITEM_PY=3.10
GODAGS_PARAM_NAME=two words
GODAGS_PARAM_NULL=null
GODAGS_PARAM_SEED=42
GODAGS_PIPELINE=wine
LEVEL=stage
PIPELINE_LEVEL=1
TOKEN=a secret
`
	if got := a.must(t); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	a.Item = json.RawMessage(`"a.txt"`)
	if got := a.must(t); !strings.Contains(got, "GODAGS_ITEM=a.txt\n") {
		t.Errorf("a text is not bare:\n%s", got)
	}
}

// The folder is removed whatever is in it.
func TestCommand_HasAScratchFolder(t *testing.T) {
	folder := shell(`cd "$GODAGS_SCRATCH" && ls -A && mkdir a && echo text > a/file && printf %s "$GODAGS_SCRATCH"`).must(t)
	if !filepath.IsAbs(folder) || filepath.Base(folder) != "scratch" {
		t.Errorf("got %q, want the path of an empty folder", folder)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s after the attempt: %v, want that it does not exist", folder, err)
	}
}

func TestOutputOfGigabytesNeedsLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it reads a gigabyte")
	}
	const size = 1 << 30
	a := shell("head -c 1073741824 /dev/zero")
	a.log.Hide(mustMask(t, "a secret", "another secret"))
	used := allocated(func() { a.must(t) })
	if used > 4<<20 {
		t.Errorf("%d bytes were allocated for %d bytes of output", used, size)
	}
	if a.log.Len() != size {
		t.Errorf("%d bytes arrived", a.log.Len())
	}
}
