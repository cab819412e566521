package cli

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/godags/godags/internal/term"
)

func TestHelpHasEveryCommandOnceWithAnExample(t *testing.T) {
	var grouped []string
	for _, g := range groups {
		grouped = append(grouped, g.commands...)
	}
	for _, c := range (Program{}).app().Commands {
		if i := slices.Index(grouped, c.Name); i >= 0 {
			grouped = slices.Delete(grouped, i, i+1)
		} else {
			t.Errorf("%s is in no group", c.Name)
		}
		o := execute(t, c.Name, "--help")
		o.expect(t, 0, "Usage: prog "+c.Name, "\nExample: prog "+c.Name)
		if strings.Contains(o.stdout, "`") && !strings.Contains(c.Description, "`") {
			t.Errorf("there is markup in\n%s", o.stdout)
		}
	}
	if len(grouped) > 0 {
		t.Errorf("%q are no commands, or in several groups", grouped)
	}
	execute(t, "--help").expect(t, 0, "prog runs pipelines", "\nExit codes:\n  0    all stages succeeded")
	execute(t).expect(t, 0, "prog runs pipelines")
	execute(t, "--version").expect(t, 0, "godags ")
}

func TestHelpFitsIntoTheTerminal(t *testing.T) {
	for _, width := range []int{40, 60, 100} {
		for _, c := range (Program{Name: "prog"}).app().Commands {
			var b bytes.Buffer
			out := bufio.NewWriter(&b)
			page{out, form{width: width}}.command("prog", c)
			if err := out.Flush(); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				// which is there to be copied
				if term.Width(line)-1 > width && !strings.Contains(line, ": prog ") {
					t.Errorf("on %d columns: %s", width, line)
				}
			}
		}
	}
}

func TestAProgramThatIsAWorkerHasAnExampleToo(t *testing.T) {
	p, stdout, _ := testProgram(t)
	code := WorkerMain(t.Context(), p, []string{"--help"})
	outcome{code: code, stdout: stdout.String()}.expect(t, 0, "\nExample: prog --redis redis://10.0.0.5:6379 --queue gpu\n")
}

func TestFlagsTellTheirDefaultsOnce(t *testing.T) {
	o := execute(t, "run", "--help")
	o.expect(t, 0, "--grace TIME", "(default: 10s)\n", "--keep TIME", "(default: 7d)", "[$REDIS_URL]")
	for _, wrong := range []string{"(default: 0", "(default: false)", "\"7d\"", ") (default"} {
		if strings.Contains(o.stdout, wrong) {
			t.Errorf("there is %q in\n%s", wrong, o.stdout)
		}
	}
	execute(t, "graph", "--help").expect(t, 0, "-o, --out FILE")
}
