package cli

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// complete returns the words, without remarks, that the last of some words may become.
func complete(t *testing.T, words ...string) string {
	t.Helper()
	o := execute(t, append([]string{completeWord}, words...)...)
	if o.code != 0 || o.stderr != "" {
		t.Errorf("%q: exit code %d: %s", words, o.code, o.stderr)
	}
	var found []string
	for line := range strings.Lines(o.stdout) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		found = append(found, word)
	}
	return strings.Join(found, " ")
}

// completes waits until the last of some words may become these. A Redis that does not answer soon
// is left out, and on a busy machine this one may be.
func completes(t *testing.T, want string, words ...string) {
	t.Helper()
	got := complete(t, words...)
	for begin := time.Now(); got != want && time.Since(begin) < time.Minute; {
		got = complete(t, words...)
	}
	if got != want {
		t.Errorf("%q: got %q, want %q", words, got, want)
	}
}

func TestCompletion(t *testing.T) {
	t.Setenv("REDIS_URL", "")
	t.Setenv("GODAGS_HOME", t.TempDir())
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"st"}, "status"},
		{[]string{"workers"}, "workers"},
		{[]string{"run", ""}, "simple wine :pipelines"},
		{[]string{"run", "wi"}, "wine :pipelines"},
		{[]string{"run", "wine", ""}, ""}, // it takes one
		{[]string{"run", "wine", "--progress", "p"}, "plain"},
		{[]string{"run", "--progress=p"}, "--progress=plain"},
		{[]string{"run", "--output", "json", "w"}, "wine :pipelines"},
		{[]string{"run", "--output=json", "w"}, "wine :pipelines"},
		{[]string{"run", "--run-i"}, "--run-id"},
		{[]string{"run", "--run-id", ""}, ""},
		{[]string{"run", "--home", ""}, ":files"},
		{[]string{"run", "--home="}, ""},
		{[]string{"run", "--", "--o"}, ":pipelines"},
		{[]string{"runs", "--li"}, "--limit"},
		{[]string{"runs", ""}, "prune"},
		{[]string{"runs", "prune", "--state", "f"}, "failed"},
		{[]string{"graph", "-o", "x"}, ":files"},
		{[]string{"graph", "--format", "m"}, "mermaid"},
		{[]string{"graph", "--open", "w"}, "wine :pipelines"},
		{[]string{"validate", "a.yaml", ""}, ":pipelines"},
		{[]string{"completion", ""}, "bash zsh fish"},
		{[]string{"completion", "bash", ""}, ""},
		{[]string{"status", ""}, ""}, // no Redis, no runs
		{[]string{"nothing", ""}, ""},
		{[]string{"nothing", "--o"}, ""},
		{[]string{"--he"}, "--help"},
		{[]string{"-"}, "--help"},
		{[]string{"worker", "--id"}, ""}, // hidden
		{[]string{"status", "\x1b[2J\n"}, ""},
	} {
		if got := complete(t, test.words...); got != test.want {
			t.Errorf("%q: got %q, want %q", test.words, got, test.want)
		}
	}
	all := complete(t)
	for _, c := range (Program{}).app().Commands {
		if !slices.Contains(strings.Fields(all), c.Name) {
			t.Errorf("%s is not among %s", c.Name, all)
		}
		if got := complete(t, c.Name, "-"); !strings.Contains(got, "--help") {
			t.Errorf("after %s: %q", c.Name, got)
		}
	}
}

func TestCompletionOfAProgramWithoutCommands(t *testing.T) {
	for words, want := range map[string]string{"": "", "--qu": "--queue", "--queue ": ""} {
		p, stdout, _ := testProgram(t)
		code := WorkerMain(t.Context(), p, append([]string{completeWord}, strings.Split(words, " ")...))
		if word, _, _ := strings.Cut(stdout.String(), "\t"); code != 0 || word != want {
			t.Errorf("%q: exit code %d, got %q, want %q", words, code, stdout, want)
		}
	}
}

func TestCompletionOfRuns(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	f.submit("other-1", driven)
	url := f.server.URL()
	for _, words := range [][]string{
		{"status", "--redis", url, ""}, {"events", "--follow", "--redis=" + url, ""}, {"logs", "-redis", url, ""}, {"cancel", "--redis", url, ""},
	} {
		completes(t, "latest other-1 demo-1", words...)
	}
	completes(t, "demo-1", "status", "--redis", url, "de")
	completes(t, "simple wine :pipelines latest other-1 demo-1", "graph", "--redis", url, "")
	t.Setenv("REDIS_URL", url)
	completes(t, "demo-1", "status", "de")
}

func TestCompletionStartsNoRedisAndWaitsForNone(t *testing.T) {
	t.Setenv("REDIS_URL", "")
	home := t.TempDir()
	if got := complete(t, "status", "--home", home, ""); got != "" {
		t.Errorf("got %q", got)
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) > 0 {
		t.Errorf("it made %v in the state folder (%v)", entries, err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, url := range []string{"redis://" + silent.Addr().String(), "unix:///nowhere", "nonsense", "redis://\x00"} {
		if got := complete(t, "status", "--redis", url, ""); got != "" {
			t.Errorf("%q: got %q", url, got)
		}
	}
}

func TestCompletionOfRunsInAPrivateRedis(t *testing.T) {
	t.Setenv("REDIS_URL", "")
	f := newFixture(t)
	f.failed("demo-1")
	home := filepath.Dir(strings.TrimPrefix(f.server.URL(), "unix://"))
	if err := os.Mkdir(filepath.Join(home, "redis"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../s", filepath.Join(home, "redis", "redis.sock")); err != nil {
		t.Fatal(err)
	}
	completes(t, "latest demo-1", "status", "--home", home, "")
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range shells {
		execute(t, "completion", shell).expect(t, 0, "prog", "_prog", completeWord)
	}
	execute(t, "completion", "csh").expect(t, 2, `no completion for the shell "csh"`, "bash|zsh|fish")
	execute(t, "completion", "../completion").expect(t, 2, "no completion for the shell")
	execute(t, "completion").expect(t, 2, "needs the name of a shell")

	p, stdout, _ := testProgram(t)
	p.Name = "it's mine"
	if code := Main(t.Context(), p, []string{"completion", "bash"}); code != 0 || !strings.Contains(stdout.String(), `complete -F _it_s_mine -- 'it'\''s mine'`) {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
}

// TestAsProgram is the program that the script in the next test asks. By itself it tests nothing.
func TestAsProgram(t *testing.T) {
	if os.Getenv("GODAGS_TEST_AS_PROGRAM") == "" {
		return
	}
	p, _, _ := testProgram(t)
	p.Out, p.Err = os.Stdout, os.Stderr
	os.Exit(Main(t.Context(), p, os.Args[slices.Index(os.Args, "--")+1:]))
}

func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		const advice = "bash is not on PATH: install it to run this test"
		if os.Getenv("GODAGS_TEST_STRICT") == "1" {
			t.Fatal(advice)
		}
		t.Skip(advice)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "prog")
	writeText(t, program, "#!/bin/sh\nGODAGS_TEST_AS_PROGRAM=1 exec '"+self+"' -test.run='^TestAsProgram$' -- \"$@\"\n")
	for _, name := range []string{"a.yaml", "b.json", "c.txt"} {
		writeText(t, filepath.Join(dir, name), "")
	}
	if err := errors.Join(os.Chmod(program, 0o700), os.Mkdir(filepath.Join(dir, "sub"), 0o700)); err != nil {
		t.Fatal(err)
	}
	const press = `
source <(prog completion bash)
press() { # as bash does when TAB is pressed at the end of a line
    COMP_LINE=$1 COMP_POINT=${#1}
    _prog
    printf '%s: %s\n' "$1" "$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')"
}
press 'prog st'
press 'prog run '
press 'prog run --outp'
press 'prog run --output=j'
press 'prog run --output json wi'
press 'prog completion '
press 'prog graph wine -o '
press 'prog nothing '
complete -p prog`
	cmd := exec.Command(bash, "--norc", "--noprofile", "-c", press)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	want := `prog st: status 
prog run : a.yaml b.json simple sub wine 
prog run --outp: --output 
prog run --output=j: json 
prog run --output json wi: wine 
prog completion : bash fish zsh 
prog graph wine -o : a.yaml b.json c.txt prog sub 
prog nothing :  
complete -F _prog prog
`
	if err != nil || string(out) != want {
		t.Errorf("%v: got\n%s\nwant\n%s", err, out, want)
	}
}
