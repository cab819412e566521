package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godags/godags/internal/picture"
)

func TestGraphOfATargetNeedsNoRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	home := filepath.Join(t.TempDir(), "state")
	file := filepath.Join(t.TempDir(), "shop.yaml")
	writeText(t, file, "stages: [{name: buy}, {name: pay, after: buy}]")
	nowhere := []string{"--redis", "unix:///nowhere/redis.sock", "--home", home}
	for target, words := range map[string][]string{"wine": {"first", "second"}, "": {"simple"}, file: {"shop", "buy", "pay"}} {
		args := append([]string{"graph"}, nowhere...)
		if target != "" {
			args = append(args, target)
		}
		execute(t, args...).expect(t, 0, words...)
	}
	if _, err := os.Stat(home); err == nil {
		t.Error("it made a state folder")
	}
}

func TestGraphFormats(t *testing.T) {
	for format, word := range map[string]string{"dot": "digraph", "svg": "<svg", "mermaid": "flowchart", "ascii": "first", "json": `"stages":[`} {
		execute(t, "graph", "wine", "--format", format).expect(t, 0, word)
	}
	execute(t, "graph", "wine", "--format", "svgg").expect(t, 2, `unknown picture format "svgg"`, "did you mean svg?")
	execute(t, "graph", "wine", "simple").expect(t, 2, "graph takes one TARGET or RUN")
	execute(t, "graph", "wien", "--home", t.TempDir()).expect(t, 2, `unknown pipeline "wien"`, `did you mean "wine"?`)
	execute(t, "graph", "wine", "--around", "first", "--depth", "0").expect(t, 0, "1 stage of 2, around first")
	execute(t, "graph", "wine", "--around", "frist").expect(t, 2, `the pipeline has no stage "frist": did you mean "first"?`)
	execute(t, "graph", "wine", "--around", "").expect(t, 2, "--around needs the name of a stage")
	execute(t, "graph", "wine", "--depth", "1").expect(t, 2, "add --around STAGE")
	execute(t, "graph", "wine", "--around", "first", "--depth", "-1").expect(t, 2, "--depth is a number from 0")
	execute(t, "graph", "missing.yaml").expect(t, 2, "missing.yaml: file does not exist")
}

func TestGraphOfARunShowsTheStateOfEachStage(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	o := f.execute("graph", "demo-1", "--format", "json")
	var doc picture.Document
	if err := json.Unmarshal([]byte(o.stdout), &doc); err != nil {
		t.Fatalf("%v: %s", err, o.stdout+o.stderr)
	}
	states := make(map[string]string)
	for _, s := range doc.Stages {
		states[s.Name] = s.State
	}
	if doc.Run != "demo-1" || doc.Name != "demo" || states["first"] != "succeeded" || states["second"] != "failed" || states["last"] != "skipped" {
		t.Errorf("run %q of %q: %v", doc.Run, doc.Name, states)
	}
	f.execute("graph", "latest").expect(t, 0, "run demo-1", "failed", "1.5s", "* critical path", "* first")
	f.execute("graph", "latest", "-o", "-", "--format", "svg").expect(t, 0, "second, attempt 1 on hand: failed after", ": exit status 3\nlast line: cannot open</title>",
		"skipped because second failed</title>", "on the critical path\nfirst")
}

func TestGraph_ShowsWhyAStageDoesNotStart(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.succeed("demo-1", first, "", "")
	f.execute("graph", "demo-1").expect(t, 0, "ready · no worker")
	f.execute("graph", "demo-1", "--format", "svg").expect(t, 0, "<title>third, ready · no worker, no live worker listens on queue gpu\n")
	f.execute("graph", "demo-1", "--format", "json").expect(t, 0, `"state":"ready","reason":{"code":"no_worker","text":"no live worker listens on queue gpu"}`,
		`"state":"waiting","reason":{"code":"dependencies","text":"waits for second"}`)
}

func TestThePictureIsWrittenToAFileWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "picture.svg")
	writeText(t, path, "old")
	link := filepath.Join(dir, "link.svg")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	execute(t, "graph", "wine", "-o", link).expect(t, 0, "wrote "+link)
	if text := readText(t, path); !strings.HasPrefix(text, "<svg") && !strings.HasPrefix(text, "<?xml") {
		t.Errorf("the file has %.100q", text)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced (%v)", err)
	}
	for _, test := range []struct{ path, format, word string }{
		{"a.dot", "", "digraph"}, {"a.gv", "", "digraph"}, {"a.mmd", "", "flowchart"}, {"a.json", "", `"stages"`}, {"a.txt", "", "first"},
		{"a", "", "first"}, {"b.svg", "dot", "digraph"},
	} {
		args := []string{"graph", "wine", "--out", filepath.Join(dir, test.path)}
		if test.format != "" {
			args = append(args, "--format", test.format)
		}
		execute(t, args...).expect(t, 0)
		if text := readText(t, filepath.Join(dir, test.path)); !strings.Contains(text, test.word) {
			t.Errorf("%s lacks %q: %.200s", test.path, test.word, text)
		}
	}
	execute(t, "graph", "wine", "-o", filepath.Join(dir, "a.png")).expect(t, 2, "the extension .png has no format")
	execute(t, "graph", "wine", "-o", "").expect(t, 2, "--out needs a file name")
	execute(t, "graph", "wine", "-o", filepath.Join(dir, "none", "a.svg")).expect(t, 1, "write the picture", "no such file")
	execute(t, "graph", "wine", "-o", dir).expect(t, 1, "write the picture", "is a directory")
	execute(t, "graph", "wine", "--format", "dot", "-o", "-").expect(t, 0, "digraph")
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
}

func TestThePictureIsShownInAViewer(t *testing.T) {
	bin, temporary := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, name := range []string{"xdg-open", "open"} {
		writeText(t, filepath.Join(bin, name), "#!/bin/sh\nread -r line < \"$1\" && echo \"$line\" > "+bin+"/shown\n")
		if err := os.Chmod(filepath.Join(bin, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	execute(t, "graph", "wine", "--open").expect(t, 0, "wrote "+temporary)
	if text := readText(t, filepath.Join(bin, "shown")); !strings.Contains(text, "svg") && !strings.Contains(text, "xml") {
		t.Errorf("it was shown %q", text)
	}

	t.Setenv("PATH", t.TempDir())
	path := filepath.Join(temporary, "wine.svg")
	execute(t, "graph", "wine", "--open", "-o", path).expect(t, 1, "cannot show the picture", "it is in "+path)
	if !strings.Contains(readText(t, path), "svg") {
		t.Error("the picture is not there")
	}
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
