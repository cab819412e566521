package pipefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadSaysWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pipeline.yaml"), "stages: [{name: a}]")
	write(t, filepath.Join(dir, "notes.txt"), "a note")
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int64{"big.yaml": 200 << 20, "big.json": 600 << 20} {
		write(t, filepath.Join(dir, name), "")
		// a hole: it takes no space
		if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"pipeline.yml":       `file does not exist (did you mean "pipeline.yaml"?)`,
		"pipeline":           `file does not exist (did you mean "pipeline.yaml"?)`,
		"piepline.yaml":      `file does not exist (did you mean "pipeline.yaml"?)`,
		"note.txt":           `file does not exist`,
		"gone/pipeline.yaml": `file does not exist`,
		"notes.txt":          `the name of a pipeline file must end in .yaml, .yml or .json`,
		"notes.txt/a.yaml":   `cannot read the file: not a directory`,
		"folder.yaml":        `this is a folder, not a file`,
		"big.yaml":           `the file has 200 MiB, and can have at most 64: write it as JSON, in a file of at most 512, or build it in Go`,
		"big.json":           `the file has 600 MiB, and can have at most 512: build a pipeline of this size in Go`,
	} {
		path := filepath.Join(dir, name)
		if _, err := Read(path, nil); err == nil || err.Error() != path+": "+want {
			t.Errorf("Read(%s):\n%v, want\n%s: %s", name, err, path, want)
		}
	}
	if _, err := Read(filepath.Join(dir, "gone.yaml"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file gives %v, want fs.ErrNotExist", err)
	}
}

func TestReadNamesThePipelineAfterTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wine.YAML")
	write(t, path, "stages: [{name: a}]")
	sp, err := Read(path, nil)
	if err != nil || sp.Name != "wine" || sp.Graph.Len() != 1 {
		t.Fatalf("Read gives %v, %v", sp, err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestEncodings(t *testing.T) {
	const yaml = "stages:\n  - name: é\n"
	for name, c := range map[string]struct{ data, want string }{
		"byte order mark": {"\uFEFF" + yaml, ""},
		"line ends":       {strings.ReplaceAll(yaml, "\n", "\r\n"), ""},
		"old line ends":   {strings.ReplaceAll(yaml, "\n", "\r"), ""},
		"UTF-16 LE":       {"\xff\xfes\x00t\x00", "1:1: the file is UTF-16: save it as UTF-8"},
		"UTF-16 BE":       {"\xfe\xff\x00s\x00t", "1:1: the file is UTF-16: save it as UTF-8"},
		"UTF-16 unmarked": {"s\x00t\x00", "1:1: the file is UTF-16: save it as UTF-8"},
		"Latin-1":         {"stages:\n  - name: \xe9\n", "2:11: the file is not UTF-8 here: save it as UTF-8"},
		"NUL":             {yaml + "\x00", `3:1: a file cannot have the character U+0000: write it as "\u0000" in quotes, or remove it`},
		"control":         {yaml + "# \x1b[31m", `3:3: a file cannot have the character U+001B: write it as "\u001b" in quotes, or remove it`},
		"no character":    {"stages:\n- name: a\uFFFEb", `2:10: a file cannot have the character U+FFFE: write it as "\ufffe" in quotes, or remove it`},
		"strange lines":   {"name: a\u0085stages:\u2028- name: [b]\n", "1:25: name must be text, not a list"},
		"wrong, with mark": {"\uFEFFstages:\r\n  - nam: a\r\n",
			`2:5: a stage has no key "nam" (did you mean "name"?)`},
	} {
		_, err := Parse("p.yaml", []byte(c.data), nil)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "p.yaml:"+c.want+"\n")):
			t.Errorf("%s:\n%v, want\np.yaml:%s", name, err, c.want)
		}
		if err != nil {
			checkError(t, []byte(c.data), err)
		}
	}
}

// Whatever a file says, it must be refused before it takes all memory or stack.
func TestLimits(t *testing.T) {
	aliases, merges := "stages:\n- &a0 []\n", "stages:\n- &a0 {}\n"
	for i := range 1000 {
		aliases += fmt.Sprintf("- &a%d [*a%d]\n", i+1, i)
		merges += fmt.Sprintf("- &a%d {<<: *a%d, k%d: }\n", i+1, i, i)
	}
	const tooMuch = "the file holds more values than are read, about 4 million"
	for name, c := range map[string]struct {
		file, data string
		weight     int // of what has been read before
		want       string
	}{
		"deep JSON":          {"p.json", `{"stages": ` + nest("[", "]", 5000) + "}", 0, "nested more than 100 deep"},
		"deeper JSON":        {"p.json", `{"stages": ` + nest("[", "]", 50000) + "}", 0, "exceeded max depth"},
		"deep YAML":          {"p.yaml", "stages: " + nest("[", "]", 5000), 0, "nested more than 100 deep"},
		"deep lines":         {"p.yaml", "stages: \n" + strings.Repeat("- ", 5000) + "a", 0, "nested more than 100 deep"},
		"deeper YAML":        {"p.yaml", "stages: " + nest("{a: ", "}", 50000), 0, "exceeded max depth"},
		"alias after alias":  {"p.yaml", aliases, 0, "nested more than 100 deep"},
		"merge after merge":  {"p.yaml", merges, maxWeight - 1<<20, tooMuch},
		"many JSON values":   {"p.json", `{"stages": [[` + strings.Repeat("0,", 9999) + "0]]}", maxWeight - 1000*valueWeight, tooMuch},
		"long JSON text":     {"p.json", `{"name": "` + strings.Repeat("0", 9999) + `"}`, maxWeight - 9999, tooMuch},
		"many YAML values":   {"p.yaml", "stages:\n" + strings.Repeat("- a\n", maxYAMLCost/2+1), 0, "more values than are read from YAML"},
		"many YAML commas":   {"p.yaml", "stages: [" + strings.Repeat(",", maxYAMLCost/2+1), 0, "more values than are read from YAML"},
		"many expanded ones": {"p.yaml", "stages: [&a [b, c], " + strings.Repeat("*a, ", 999) + "]", maxWeight - 1000*valueWeight, tooMuch},
	} {
		s := newDecoder([]byte(c.data))
		s.weight = c.weight
		s.parse(strings.HasSuffix(c.file, ".json"), c.file, nil)
		if err := s.fileError(c.file); !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300s, want %q", name, err, c.want)
		}
	}
}

func nest(opening, closing string, n int) string {
	return strings.Repeat(opening, n) + "1" + strings.Repeat(closing, n)
}

func TestManyProblemsAreCounted(t *testing.T) {
	data := []byte(`{"stages": [` + strings.Repeat("5,\n", 1999) + `5]}`)
	_, err := Parse("p.json", data, nil)
	checkError(t, data, err)
	e, _ := errors.AsType[*FileError](err)
	if len(e.Problems) != 1000 || e.Omitted != 1000 {
		t.Errorf("%d problems and %d omitted", len(e.Problems), e.Omitted)
	}
	for text, want := range map[string]int{err.Error(): 20, e.Show(1000): 1000} {
		lines := strings.Split(text, "\n")
		if len(lines) != 3*want+1 || !strings.HasPrefix(lines[3*want], fmt.Sprintf("... and %d more", 2000-want)) {
			t.Errorf("the error has %d lines, and ends in %s", len(lines), lines[len(lines)-1])
		}
	}
	if lines := strings.Split(err.Error(), "\n"); !strings.HasSuffix(lines[60], "the command validate shows all") {
		t.Errorf("the error has %d lines, and ends in %s", len(lines), lines[len(lines)-1])
	}
}

func TestCaretIsBelowTheProblem(t *testing.T) {
	data := strings.Repeat("\n", 123455) + "stages: [{name: a, after: [" + strings.Repeat("\"\u202e\", ", 60) + "x]}]"
	src := []byte(data)
	got := excerpt(src, strings.Index(data, "x]"), 0, 123456)
	want := "123456 | ..." + strings.Repeat(`"\u202e", `, 12) + "x...\n" +
		"       |    " + strings.Repeat(" ", 12*len(`"\u202e", `)) + "^"
	if got != want {
		t.Errorf("excerpt gives\n%s, want\n%s", got, want)
	}
}

func TestPathIsPrintedSafely(t *testing.T) {
	_, err := Parse("\x1b[31m\n.yaml", nil, nil)
	if want := `\x1b[31m; .yaml:1:1: the file is empty`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%q, want %q", err, want)
	}
}
