package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestTimeline_OfARunThatFailed(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	o := f.execute("timeline")
	o.expect(t, 0, "demo · run demo-1 · failed after", "4 stages, 1 skipped without an attempt", "1.5s", "* first", "✗  second")
	if strings.Contains(o.stdout, "last") || strings.Contains(o.stdout, "\x1b") {
		t.Errorf("a stage that was skipped has a row, or there are colours without a terminal:\n%s", o.stdout)
	}
	f.execute("timeline", "--color", "always").expect(t, 0, "\x1b[1;31m✗\x1b[0m")
}

func TestTimeline_OfAnActiveRun(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.succeed("demo-1", first, "", "")
	f.start("demo-1", second, 1)
	f.execute("timeline", "demo-1").expect(t, 0, "running for", "▸  second", "·  third", "ready", "1 waiting without an attempt", "▸ still running")
	f.execute("timeline", "--output", "svg").expect(t, 0, "<title>second, attempt 1 on hand: running for", "<title>third: waited")
}

func TestTimeline_IsWrittenToAFile(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	path := filepath.Join(t.TempDir(), "run")
	f.execute("timeline", "--svg", path).expect(t, 0, "wrote "+path)
	if text := readText(t, path); !strings.HasPrefix(text, "<svg") || !strings.Contains(text, "<title>second, attempt 1 on hand: failed after") ||
		!strings.Contains(text, "exit status 3") {
		t.Errorf("the file has %.3000s", text)
	}

	f.execute("timeline", "--svg", "-").expect(t, 0, "<svg")
	f.execute("timeline", "--svg", "").expect(t, 2, "--svg needs a file name")
	f.execute("timeline", "--output", "dot").expect(t, 2, `--output is text or svg, not "dot"`)
	f.execute("timeline", "a", "b").expect(t, 2, "timeline takes [RUN], but got 2 arguments")
}
