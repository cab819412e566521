package progress

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// shownRun tells the story of a run of two stages, one of which prints, and returns what is shown.
func shownRun(t *testing.T, cfg Config, print func(p *Printer)) (out string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		cfg.Out = &buf
		p := New(cfg)
		story := newStory(t, build(t, []string{"fetch"}, []string{"load", "fetch"}), func(run *runstate.Run, e journal.Entry) {
			p.Observe(run, e)
		})
		story.submit()
		story.start("w1", "fetch")
		pass(time.Second)
		story.succeed("w1", "fetch", time.Second, "last")
		story.start("w1", "load")
		if print != nil {
			print(p)
		}
		pass(time.Second / 2)
		out = buf.String()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if print == nil {
			out = buf.String()
		}
	})
	return out
}

func printTwice(p *Printer) {
	fetch := journal.AttemptID{Stage: 0, Attempt: 1}
	p.Output(fetch, "fetch", [][]byte{[]byte("first\x1b[2J")}, false)
	p.Output(fetch, "fetch", [][]byte{[]byte("10%\r99%"), []byte("last")}, true)
}

func TestOutput_IsShownBeforeTheEndOfItsStage(t *testing.T) {
	got := shownRun(t, Config{Mode: Plain, Color: ColorNever}, printTwice)
	want := "demo: 2 stages, run demo-1\nfetch | first\nfetch | 99%\nfetch | last\n" +
		"00:00:01.0  succeeded   fetch       1.00s\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// Redis may not answer. The end of a stage is not kept back for long, and not at all once the run
// has finished.
func TestOutput_ThatIsMissingHoldsNothingUpForLong(t *testing.T) {
	if got := shownRun(t, Config{Mode: Plain, Color: ColorNever}, func(*Printer) { pass(holdAtMost) }); !strings.Contains(got, "succeeded") {
		t.Errorf("after %s: got\n%s", holdAtMost, got)
	}
	if got := shownRun(t, Config{Mode: Plain, Color: ColorNever}, nil); !strings.Contains(got, "succeeded") {
		t.Errorf("after Close: got\n%s", got)
	}
}

func TestOutput_IsFoldedWhereTheServiceFolds(t *testing.T) {
	for want, pairs := range map[string]map[string]string{
		"::group::fetch\nfetch | a\n::endgroup::\n": {"GITHUB_ACTIONS": "true"},
		"##[group]fetch\nfetch | a\n##[endgroup]\n": {"TF_BUILD": "True"},
		"--- fetch\nfetch | a\n":                    {"BUILDKITE": "true"},
		"\x1b[0Ksection_start:946684801:fetch[collapsed=true]\r\x1b[0Kfetch\nfetch | a\n\x1b[0Ksection_end:946684801:fetch\r\x1b[0K00:00:": {"GITLAB_CI": "true"},
		"run demo-1\nfetch | a\n": {"GITHUB_ACTIONS": "false"},
	} {
		cfg := Config{Mode: Plain, Color: ColorNever, Env: env(pairs)}
		got := shownRun(t, cfg, func(p *Printer) {
			p.Output(journal.AttemptID{Stage: 0, Attempt: 1}, "fetch", [][]byte{[]byte("a")}, true)
		})
		if !strings.Contains(got, want) {
			t.Errorf("got %q, which does not have %q", got, want)
		}
	}
}

func TestShowsOutput(t *testing.T) {
	for _, test := range []struct {
		mode   Mode
		logs   LogMode
		stages int
		want   bool
	}{
		{Plain, LogsAuto, fewStages, true},
		{Plain, "", fewStages, true},
		{Plain, LogsAuto, fewStages + 1, false},
		{Plain, LogsPrefixed, fewStages + 1, true},
		{Plain, LogsNone, 1, false},
		{Plain, LogsTail, 1, false},
		{TTY, LogsAuto, 1, false},
		{TTY, LogsPrefixed, 1, true},
		{JSON, LogsAuto, 1, false},
		{JSON, LogsPrefixed, 1, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := New(Config{Out: &out, Mode: test.mode, Logs: test.logs, Color: ColorNever})
			defer p.Close()
			if p.ShowsOutput() {
				t.Errorf("%+v: known before the size of the run", test)
			}
			newStory(t, wideSpec(t, test.stages), p.Observe).submit()
			if got := p.ShowsOutput(); got != test.want {
				t.Errorf("%+v: got %v", test, got)
			}
		})
	}
}

func TestOutput_OnATerminalAndInJSON(t *testing.T) {
	for mode, want := range map[Mode]string{
		TTY:  "fetch | first\r\n",
		JSON: `{"time":"2000-01-01T00:00:01.000Z","type":"output","stage":"fetch","attempt":1,"text":"first"}` + "\n",
	} {
		got := shownRun(t, Config{Mode: mode, Logs: LogsPrefixed, Color: ColorNever}, printTwice)
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %q, which does not have %q", mode, got, want)
		}
	}
}
