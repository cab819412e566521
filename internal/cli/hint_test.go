package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	ucli "github.com/urfave/cli/v2"
)

// inShells executes a command in each shell that is installed, and returns what it prints.
func inShells(t *testing.T, command string) map[string]string {
	t.Helper()
	printed := make(map[string]string)
	for _, shell := range []string{"sh", "dash", "bash", "zsh", "ksh", "busybox"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		cmd := exec.Command(path, "-c", command)
		if shell == "busybox" {
			cmd = exec.Command(path, "sh", "-c", command)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %s: %v: %s", shell, command, err, out)
		}
		printed[shell] = string(out)
	}
	if len(printed) == 0 {
		t.Fatal("there is no shell")
	}
	return printed
}

// nastyWords are names of stages, files and values that shells, and our own command line, take for
// something else.
var nastyWords = []string{
	"plain", "", "two words", "-O2 build", "--stages", "-", "it's", `"quoted"`, "$HOME", "`id`", "$(id)", `back\slash`, "a;b", "a&b", "a|b", "#a", "~", "*", "{a,b}",
	"!1", "größe 日本", "a=b", "100%", "%s", "tab\there", "line\nend", "\x1b[2J", "\u202e%d-\\n'", "\u009b", "\xff", "-\n",
}

func TestHintsCanBeCopiedIntoAShell(t *testing.T) {
	recorder := filepath.Join(t.TempDir(), "my recorder")
	if err := os.WriteFile(recorder, []byte("#!/bin/sh\nprintf '%s\\0' \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p, _, _ := testProgram(t)
	p.Call = Call(recorder)
	app := p.app()
	for _, word := range nastyWords {
		var got []string
		app.Commands = append(slices.Clip(p.app().Commands), &ucli.Command{Name: "recorded", Flags: []ucli.Flag{&ucli.StringFlag{Name: "home"}, &ucli.StringFlag{Name: "queue"}},
			Action: func(c *ucli.Context) error {
				got = append([]string{c.String("home"), c.String("queue")}, c.Args().Slice()...)
				return nil
			}})
		h := p.hint("recorded", []string{"run", word}, "--home", word, "--queue", word)
		if found, ok := hidden(h.command); ok || strings.Contains(h.command, "\n") {
			t.Errorf("%q: there is %q in the hint %q", word, found, h.command)
		}
		for shell, printed := range inShells(t, h.command) {
			args, err := arrange(app, strings.Split(strings.TrimSuffix(printed, "\x00"), "\x00"))
			if err == nil {
				err = app.Run(append([]string{"prog"}, args...))
			}
			want := strings.TrimRight(word, "\n") // the shell takes the line ends away
			if err != nil || !slices.Equal(got, []string{want, want, "run", want}) {
				t.Errorf("%s: %s gives %q, %v", shell, h.command, got, err)
			}
		}
	}
}

// The command that looks closer finds the stage, whatever it is called.
func TestTheHintOfARunThatFailedWorks(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	home := filepath.Join(t.TempDir(), "my home")
	o := f.execute("status", "demo-1", "--home", home)
	o.expect(t, 0, "look closer:   prog logs demo-1 second --redis "+f.server.URL()+" --home '"+home+"'\n")
	t.Setenv("REDIS_URL", f.server.URL())
	t.Setenv("GODAGS_HOME", home)
	f.execute("status", "demo-1").expect(t, 0, "look closer:   prog logs demo-1 second\n")
}

func TestHintsHaveNoPasswords(t *testing.T) {
	f := newFixture(t, "--requirepass", "sesame")
	url := strings.Replace(f.server.URL(), "unix://", "unix://:sesame@", 1)
	o := execute(t, "workers", "--redis", url)
	masked := strings.Replace(url, "sesame", "***", 1)
	o.expect(t, 0, "start one with `prog worker --redis '"+masked+"'` (replace *** with the password)")
	if strings.Contains(o.stdout+o.stderr, "sesame") {
		t.Errorf("the password is printed:\n%s", o.stderr)
	}
	execute(t, "workers", "--redis", masked).expect(t, 2, "its password is ***")
}

// A hint that drives a run has the same workers as the command that was given.
func TestHintsKeepHowARunIsDriven(t *testing.T) {
	f := newFixture(t)
	file := filepath.Join(t.TempDir(), "-bad flow.yaml")
	f.check(os.WriteFile(file, []byte("params: {a: 1}\nstages: [{name: -a b, run: exit 1}]\n"), 0o666))
	t.Chdir(filepath.Dir(file))
	place := " --redis " + f.server.URL()
	execute(t, "run", "--redis", f.server.URL(), "--run-id", "demo-1", "--concurrency", "2", "--no-fuse", "--grace", "3s", "--param", "a=2", "--", "-bad flow.yaml").expect(t, 1,
		"  look closer:   prog logs"+place+" -- demo-1 '-a b'\n",
		"  retry it:      prog retry demo-1 --concurrency 2 --grace 3s --no-fuse"+place+"\n",
		"  run it again:  prog run --concurrency 2 --grace 3s --no-fuse --param 'a=2'"+place+" -- '-bad flow.yaml'\n")
	execute(t, "logs", "--redis", f.server.URL(), "--", "demo-1", "-a b").expect(t, 0, "stage -a b printed nothing\n")
	f.execute("run", "simple", "--run-id", "demo-1", "--concurrency", "2").expect(t, 2, "show its result with `prog status demo-1"+place+"`")
}

// All hints come from one place: no other text names a command of ours between backquotes, or
// begins one with the program's name.
func TestAllHintsAreMadeInOnePlace(t *testing.T) {
	p, _, _ := testProgram(t)
	var names []string
	for _, c := range p.app().Commands {
		names = append(names, regexp.QuoteMeta(c.Name))
	}
	command := regexp.MustCompile("`(%(\\[\\d\\])?s|(coordinator |worker |godags )?(" + strings.Join(names, "|") + "))( [^`]*)?`")
	var files []string
	for _, pattern := range []string{"../../*.go", "../*/*.go", "../../tasks/*.go", "../../cache/*.go", "../../dag/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no files: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "hint.go" {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				text, err := strconv.Unquote(n.Value)
				if n.Kind == token.STRING && err == nil && command.MatchString(text) {
					t.Errorf("%s: a hint that Program.hint does not make: %s", set.Position(n.Pos()), n.Value)
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "p" && n.Sel.Name == "Call" && filepath.Base(path) != "completion.go" {
					t.Errorf("%s: the name of the program is for Program.hint", set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}
