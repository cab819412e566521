package pipefile

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/godags/godags/internal/command"
	"github.com/godags/godags/internal/spec"
)

// env reads the variables of a mapping, and returns those that are valid.
func (d *decoder) env(v value) (env value) {
	env = value{kind: mapping, at: v.at}
	d.members("env", v, func() {
		for i := 0; i < len(v.items); i += 2 {
			name := v.items[i]
			// A bad variable is dropped, and the others are kept: one mistake gives one message.
			content := d.text("env "+printable(v.items[i].text), v.items[i+1])
			if d.variable("env", name) && content.kind == text && d.noNUL("env", content) && d.fits(name, content) {
				env.items = append(env.items, name, content)
			}
		}
	})

	return env
}

// variable reports a name that no variable of ours, nor a secret, can have.
func (d *decoder) variable(key string, name value) bool {
	if err := spec.CheckVariable(name.text); err != nil {
		d.report(int(name.at), "%s: %v", key, err)
		return false
	}

	// The worker sets variables with this prefix. On Windows, case does not distinguish variables.
	if strings.HasPrefix(strings.ToUpper(name.text), "GODAGS_") {
		d.report(int(name.at), "%s: names that begin with GODAGS_ are taken", key)
		return false
	}

	return true
}

func (d *decoder) noNUL(key string, v value) bool {
	// The operating system ends arguments and variables at this character. The rest would be lost
	// silently.
	if strings.Contains(v.text, "\x00") {
		d.report(int(v.at), "%s: no command can take the character U+0000", key)
		return false
	}
	return true
}

// fits reports a variable that is longer than a command can be given.
func (d *decoder) fits(name, content value) bool {
	// Linux refuses to start a command with a longer variable. The run would fail at the stage.
	if size := len(name.text) + len("=") + len(content.text); size > command.MaxVariable {
		d.report(int(content.at), "env: %s has %d bytes, a variable can have %d with its name: hand it over in a file", name.text, len(content.text), command.MaxVariable)
		return false
	}
	return true
}

func (d *decoder) pipelineEnv(v value) map[string]string {
	env := make(map[string]string)
	read := d.env(v)
	for i := 0; i < len(read.items); i += 2 {
		env[read.items[i].text] = read.items[i+1].text
	}
	return env
}

func (st *stage) readEnv(d *decoder, v value) { st.env = d.env(v) }

func (p *policy) readSecrets(d *decoder, v value) {
	// The list replaces that of the defaults, as with all other keys.
	p.Secrets = nil
	for _, name := range d.texts("secrets", v) {
		if !d.variable("secrets", name) {
			continue
		}
		p.Secrets = append(p.Secrets, name.text)
	}
}

func (p *policy) readDir(d *decoder, v value) {
	if v = d.nonempty("dir", v); v.text != "" && d.noNUL("dir", v) {
		p.dir = v
	}
}

func (p *policy) readShell(d *decoder, v value) {
	if v.kind != list || len(v.items) == 0 {
		d.report(int(v.at), "shell must be a list of a program and its arguments, such as [bash, -c]")
		return
	}

	before := d.reported()
	for i, word := range v.items {
		word = d.text("shell", word)
		if word.text == "" && i == 0 && word.kind == text {
			d.report(int(word.at), "shell names no program")
		}
		d.noNUL("shell", word)
	}

	if d.reported() == before {
		p.shell = v
	}
}

// readNoRetryCodes reads exit codes: a number, or a list of them.
func (p *policy) readNoRetryCodes(d *decoder, v value) {
	items := v.items
	if v.kind != list {
		items = []value{v}
	}

	p.codes = value{kind: list, at: v.at}
	for _, item := range items {
		code := 0
		// The code 0 is success, and is never retried.
		if d.whole(&code, "no_retry_codes", item, 1, 255); code > 0 {
			item.text = strconv.Itoa(code)
			p.codes.items = append(p.codes.items, item)
		}
	}
}

// commandParams are those of the task command for a stage with run, which starts in the folder
// unless it has a dir.
func (st *stage) commandParams(folder string) []byte {
	run := "run"
	if st.run.kind == list {
		run = "argv"
	}

	params := value{kind: mapping}
	add := func(key string, v value) {
		if v.kind != absent {
			params.items = append(params.items, value{kind: text, text: key}, v)
		}
	}

	add(run, st.run)
	add("dir", st.policy.dir)
	add("no_retry_codes", st.policy.codes)
	if len(st.env.items) > 0 {
		add("env", st.env)
	}

	// A list is executed without a shell, whatever the defaults say.
	if run == "run" {
		add("shell", st.policy.shell)
	}
	return appendJSON(nil, startIn(folder, params))
}

// startIn returns parameters of the task command whose dir counts from the folder. Without a folder
// they stay as they are: each worker has its own.
func startIn(folder string, params value) value {
	if folder == "" {
		return params
	}

	dir := value{kind: text, text: folder}
	moved := value{kind: mapping, at: params.at}
	for i := 0; i < len(params.items); i += 2 {
		key := params.items[i]
		v := params.items[i+1]
		switch {
		case key.text != "dir":
			moved.items = append(moved.items, key, v)
		case v.kind != text:
			return params // the task reports it
		case filepath.IsAbs(v.text):
			return params
		default:
			dir.text = filepath.Join(folder, v.text)
		}
	}

	moved.items = append(moved.items, value{kind: text, text: "dir"}, dir)
	return moved
}
