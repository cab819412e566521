//go:build unix

package tasks

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommand_ReturnsTheExitStatus(t *testing.T) {
	t.Setenv(helperEnv, "exit")
	for _, test := range []struct {
		a    *attempt
		want ExitError
		text string
	}{
		{shell("exit 3"), ExitError{Code: 3}, "exit status 3"},
		{argv("sh", "-c", "kill -KILL $$"), ExitError{Code: 137, Signal: "SIGKILL"}, "killed by SIGKILL"},
		{shell("kill -SEGV $$"), ExitError{Code: 139, Signal: "SIGSEGV"}, "killed by SIGSEGV"},
		{argv(os.Args[0]), ExitError{Code: 7}, "exit status 7"},
	} {
		err := test.a.do(t)
		var exit *ExitError
		if !errors.As(err, &exit) || *exit != test.want || err.Error() != test.text {
			t.Errorf("%s: got %v, want %s", test.a.Params, err, test.text)
		}
	}
}

func TestCommandThatIsNotInstalled(t *testing.T) {
	t.Setenv("PATH", "/first:/second")
	err := argv("no-such-program-here", "x").do(t)
	if err == nil || !strings.Contains(err.Error(), `"no-such-program-here"`) || !strings.Contains(err.Error(), os.Getenv("PATH")) {
		t.Errorf("got %v, want the program's name and the PATH", err)
	}
	t.Setenv("PATH", strings.Repeat("/a/long/folder:", 20)+"/bin")
	if err := argv("no-such-program-here").do(t); err == nil || !strings.Contains(err.Error(), "(/a/long/folder:/a/long/folder:/a/long/folder and 18 more folders)") {
		t.Errorf("got %v, want the first folders of a long PATH", err)
	}
	err = argv("/no/such/program").do(t)
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, ErrNoRetry) || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("got %v, want the program's path, not to be retried", err)
	}
}

func TestCommandLogKeepsTheOrderOfBothStreams(t *testing.T) {
	if got, want := shell("echo 1; echo 2 >&2; echo 3; echo 4 >&2").must(t), "1\n2\n3\n4\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

func TestCommandHasNoInput(t *testing.T) {
	if got := shell("cat; echo end").must(t); got != "end\n" {
		t.Errorf("log is %q", got)
	}
}

func TestArgvIsNotReadByAShell(t *testing.T) {
	if got, want := argv("echo", "$HOME; *", "").must(t), "$HOME; * \n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

func TestCommandEnvironment(t *testing.T) {
	t.Setenv("GODAGS_KEY", "leaked")
	t.Setenv("REDIS_URL", "redis://:leaked@localhost")
	t.Setenv("GODAGS_SECRET_TOKEN", "leaked")
	t.Setenv("GODAGS_STAGE", "of an outer run")
	t.Setenv("KEPT", "yes")
	env := shell("env").must(t)
	if strings.Contains(env, "leaked") {
		t.Errorf("a secret has reached the command:\n%s", env)
	}
	for _, want := range []string{"GODAGS_RUN=r1", "GODAGS_PIPELINE=wine", "GODAGS_STAGE=train", "GODAGS_ATTEMPT=2", "KEPT=yes"} {
		if !strings.Contains("\n"+env, "\n"+want+"\n") {
			t.Errorf("%s is missing in\n%s", want, env)
		}
	}
}

func TestCommandHandsValuesOn(t *testing.T) {
	a := shell(`ls "$GODAGS_INPUTS"; cat "$GODAGS_INPUTS/load data" "$GODAGS_INPUTS/split" > "$GODAGS_OUTPUT"`)
	a.After = []string{"load data", "split", "cleanup"}
	a.values.outputs = map[string]string{"load data": "raw\nred\nwine\n", "split": "json\n{\"n\":1}", "unrelated": "raw\nx"}
	if got, want := a.must(t), "load data\nsplit\n"; got != want {
		t.Errorf("inputs are %q, want %q: cleanup has no output, unrelated is no dependency", got, want)
	}
	if got, want := string(a.values.own), "raw\nred\nwine\n{\"n\":1}"; got != want {
		t.Errorf("output is %q, want %q", got, want)
	}
}

func TestCommandOutput(t *testing.T) {
	none, empty := shell("true"), shell(`: > "$GODAGS_OUTPUT"`)
	none.must(t)
	empty.must(t)
	if none.values.own != nil {
		t.Errorf("a command that wrote no output has %q", none.values.own)
	}
	if string(empty.values.own) != "raw\n" {
		t.Errorf("a command that wrote an empty output has %q", empty.values.own)
	}
	full := shell(`truncate -s 64M "$GODAGS_OUTPUT"`)
	full.must(t)
	if want := len("raw\n") + 64<<20; len(full.values.own) != want {
		t.Errorf("an output of 64 MiB has become %d bytes, want %d", len(full.values.own), want)
	}
}

func TestCommandOutputThatCannotBeTaken(t *testing.T) {
	for script, want := range map[string]string{
		`echo x > "$GODAGS_OUTPUT"; exit 1`:        "exit status 1",
		`truncate -s 67108865 "$GODAGS_OUTPUT"`:    "67108865 bytes",
		`mkfifo "$GODAGS_OUTPUT"`:                  "not a file",
		`mkdir "$GODAGS_OUTPUT"`:                   "not a file",
		`ln -s /dev/zero "$GODAGS_OUTPUT"; exit 0`: "made a link",
	} {
		a := shell(script)
		if err := a.do(t); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", script, err, want)
		}
		if a.values.own != nil {
			t.Errorf("%s: the output was taken", script)
		}
	}
}

func TestCommandInputThatCannotBeGiven(t *testing.T) {
	for stage, value := range map[string]string{"split": "a value without its first line", "../../escaped": "raw\nx"} {
		a := shell("echo ran")
		a.After = []string{stage}
		a.values.outputs = map[string]string{stage: value}
		if err := a.do(t); err == nil || !strings.Contains(err.Error(), stage) || a.log.Len() > 0 {
			t.Errorf("got %v and log %q, want an error that names %s", err, a.log.Bytes(), stage)
		}
	}
}

func TestCommandIsNotStartedWhenItIsTooLate(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	mark := filepath.Join(t.TempDir(), "ran")
	if err := Run(ctx, Command{}, &shell("touch "+mark).Stage); !errors.Is(err, errStopped) {
		t.Errorf("got %v, want the cause", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the command ran")
	}
}

func TestCommand_NeedsLittleMemoryForMuchOutput(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it reads 200 MB")
	}
	const size = 200_000_000
	a := shell("echo first; head -c 200000000 /dev/zero | tr '\\0' x; echo; echo last")
	var log string
	if used := allocated(func() { log = a.must(t) }); used > 4<<20 {
		t.Errorf("%d bytes were allocated for %d bytes of output", used, size)
	}
	if a.log.Len() != size+int64(len("first\n\nlast\n")) {
		t.Errorf("%d bytes arrived", a.log.Len())
	}
	if !strings.HasPrefix(log, "first\n") || !strings.HasSuffix(log, "x\nlast\n") || len(log) > DefaultLogLimit+100 {
		t.Errorf("log of %d bytes has lost its start or end", len(log))
	}
}

func BenchmarkCommand(b *testing.B) {
	a := shell("true")
	for b.Loop() {
		if err := Run(b.Context(), Command{}, &a.Stage); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCommand_WithALongScript(t *testing.T) {
	script := strings.Repeat(": a line of a long script\n", 10_000) + `echo "$0 $#"; exit 3`
	for _, shell := range [][]string{{"sh", "-c"}, {"bash", "-euc"}} {
		a := newAttempt(map[string]any{"run": script, "shell": shell})
		err := a.do(t)
		if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Code != 3 || !strings.HasSuffix(string(a.log.Bytes()), " 0\n") {
			t.Errorf("%v: got %v, log %q", shell, err, a.log.Bytes())
		}
	}

	a := newAttempt(map[string]any{"run": script, "shell": []string{"python3", "-c"}})
	if err := (Command{}).Validate(a.Params); err == nil || !strings.Contains(err.Error(), `param "run" has 2600`) {
		t.Errorf("got %v, want that python3 cannot take so much", err)
	}
}

func TestCommand_NamesWhatIsTooLong(t *testing.T) {
	long := strings.Repeat("x", 140_000)
	item := shell("true")
	item.Item = []byte(`"` + long + `"`)
	many := shell("true")
	many.Env = make(map[string]string)
	for i := range 60 {
		many.Env["V"+string(rune('A'+i))] = long[:130_000]
	}
	many.Env["VA"] = long[:131_000]
	for want, a := range map[string]*attempt{"GODAGS_ITEM of the command has 140000 bytes": item, "argument 1 of the command has 140000": argv("echo", long), "VA (131003 bytes)": many} {
		if err := a.do(t); err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ErrNoRetry) {
			t.Errorf("got %v, want an error with %q, not to be retried", err, want)
		}
	}
	variable := newAttempt(map[string]any{"run": "true", "env": map[string]string{"BIG": long}})
	if err := (Command{}).Validate(variable.Params); err == nil || !strings.Contains(err.Error(), "BIG") {
		t.Errorf("got %v, want the variable's name", err)
	}
}
