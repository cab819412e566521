package pipefile

import (
	"strconv"
	"strings"

	"github.com/godags/godags/internal/command"
	"github.com/godags/godags/internal/spec"
)

// env reads the variables of a mapping, and returns those that are valid.
func (s *source) env(v value) (env value) {
	env = value{kind: mapping, at: v.at}
	s.members("env", v, func() {
		for i := 0; i < len(v.items); i += 2 {
			name := v.items[i]
			content := s.text("env "+printable(v.items[i].text), v.items[i+1])
			if s.variable("env", name) && content.kind == text && s.noNUL("env", content) && s.fits(name, content) {
				env.items = append(env.items, name, content)
			}
		}
	})

	return env
}

// variable reports a name that no variable of ours, nor a secret, can have.
func (s *source) variable(key string, name value) bool {
	if err := spec.CheckVariable(name.text); err != nil {
		s.report(int(name.at), "%s: %v", key, err)
		return false
	}

	if strings.HasPrefix(strings.ToUpper(name.text), "GODAGS_") {
		s.report(int(name.at), "%s: names that begin with GODAGS_ are taken", key)
		return false
	}

	return true
}

func (s *source) noNUL(key string, v value) bool {
	if strings.Contains(v.text, "\x00") {
		s.report(int(v.at), "%s: no command can take the character U+0000", key)
		return false
	}
	return true
}

// fits reports a variable that is longer than a command can be given.
func (s *source) fits(name, content value) bool {
	if size := len(name.text) + len("=") + len(content.text); size > command.MaxVariable {
		s.report(int(content.at), "env: %s has %d bytes, a variable can have %d with its name: hand it over in a file", name.text, len(content.text), command.MaxVariable)
		return false
	}
	return true
}

func (s *source) pipelineEnv(v value) map[string]string {
	env := make(map[string]string)
	read := s.env(v)
	for i := 0; i < len(read.items); i += 2 {
		env[read.items[i].text] = read.items[i+1].text
	}
	return env
}

func (s *source) stageEnv(st *stage, v value) { st.env = s.env(v) }

func (s *source) secrets(p *policy, v value) {
	p.Secrets = nil
	for _, name := range s.texts("secrets", v) {
		if !s.variable("secrets", name) {
			continue
		}
		p.Secrets = append(p.Secrets, name.text)
	}
}

func (s *source) dir(p *policy, v value) {
	if v = s.nonempty("dir", v); v.text != "" && s.noNUL("dir", v) {
		p.dir = v
	}
}

func (s *source) shell(p *policy, v value) {
	if v.kind != list || len(v.items) == 0 {
		s.report(int(v.at), "shell must be a list of a program and its arguments, such as [bash, -c]")
		return
	}

	before := len(s.problems) + s.omitted
	for i, word := range v.items {
		word = s.text("shell", word)
		if word.text == "" && i == 0 && word.kind == text {
			s.report(int(word.at), "shell names no program")
		}
		s.noNUL("shell", word)
	}

	if len(s.problems)+s.omitted == before {
		p.shell = v
	}
}

// codes reads exit codes: a number, or a list of them.
func (s *source) codes(p *policy, v value) {
	items := v.items
	if v.kind != list {
		items = []value{v}
	}

	p.codes = value{kind: list, at: v.at}
	for _, item := range items {
		code := 0
		if s.whole(&code, "no_retry_codes", item, 1, 255); code > 0 {
			item.text = strconv.Itoa(code)
			p.codes.items = append(p.codes.items, item)
		}
	}
}

// commandParams are those of the task command for a stage with run.
func (st *stage) commandParams() []byte {
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

	if run == "run" {
		add("shell", st.policy.shell)
	}
	return appendJSON(nil, params)
}
