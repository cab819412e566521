package docs_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const manual = "docs/commands.md"

var (
	flagWord    = regexp.MustCompile(`(?:^|[\s` + "`" + `])(--?[a-z][a-z-]*)`)
	helpCommand = regexp.MustCompile(`(?m)^  ([a-z]+)  `)
	helpFlags   = regexp.MustCompile(`(?m)^  (-.*?)(?:  |$)`)
	helpEnv     = regexp.MustCompile(`\[\$(\w+)\]`)
	section     = regexp.MustCompile(`(?m)^## (.*)$`)
	word        = regexp.MustCompile("`([a-z]+)`")
	number      = regexp.MustCompile(`\b\d+\b`)
)

// words returns what the group of an expression matches, sorted and each once.
func words(expression *regexp.Regexp, text string) (found []string) {
	for _, m := range expression.FindAllStringSubmatch(text, -1) {
		found = append(found, m[len(m)-1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// help returns the help of all commands by name; that of the program has the name "".
func help(t *testing.T) map[string]string {
	t.Helper()
	_, main := execute(t, "--help")
	list, _, _ := strings.Cut(main, "\nFlags:")
	texts := map[string]string{"": main}
	for _, command := range words(helpCommand, list) {
		if _, texts[command] = execute(t, command, "--help"); texts[command] == "" {
			t.Fatalf("%s has no help", command)
		}
	}
	if len(texts) < 10 {
		t.Fatalf("found only %d commands in\n%s", len(texts), main)
	}
	return texts
}

// flagsOf returns the flags that a command's help lists.
func flagsOf(help string) (flags []string) {
	for _, column := range words(helpFlags, help) {
		flags = append(flags, words(flagWord, column)...)
	}
	flags = slices.DeleteFunc(flags, func(f string) bool { return f == "--help" || f == "-h" })
	slices.Sort(flags)
	return slices.Compact(flags)
}

// sections returns the text under each heading of the second level.
func sections(text string) map[string]string {
	found := make(map[string]string)
	places := section.FindAllStringSubmatchIndex(text, -1)
	for i, place := range places {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		found[text[place[2]:place[3]]] = text[place[1]:end]
	}
	return found
}

// cells returns the cells of the rows of tables in a text.
func cells(text string) (rows [][]string) {
	for line := range strings.SplitSeq(text, "\n") {
		if row := strings.Split(line, "|"); len(row) > 3 {
			rows = append(rows, row[1:len(row)-1])
		}
	}
	return rows
}

func TestTheManualHasAllCommandsAndFlags(t *testing.T) {
	helps, parts := help(t), sections(pages(t)[manual])
	described := make(map[string][]string)
	for _, row := range cells(parts["Flags of several commands"]) {
		for _, command := range words(word, row[1]) {
			described[command] = append(described[command], words(flagWord, row[0])...)
		}
	}
	for command, text := range helps {
		part, ok := parts[command]
		if command == "" {
			continue
		}
		if !ok {
			t.Errorf("%s has no section %q", manual, command)
		}
		flags := described[command]
		for _, row := range cells(part) {
			flags = append(flags, words(flagWord, row[0])...)
		}
		slices.Sort(flags)
		if want := flagsOf(text); !slices.Equal(flags, want) {
			t.Errorf("%s has the flags %v for %s, its help has %v", manual, flags, command, want)
		}
		delete(described, command)
	}
	if len(described) > 0 {
		t.Errorf("%s has flags for commands that do not exist: %v", manual, slices.Collect(maps.Keys(described)))
	}
	listed := words(word, firstCells(pages(t)[manual], "| [`"))
	if want := slices.DeleteFunc(slices.Sorted(maps.Keys(helps)), func(c string) bool { return c == "" }); !slices.Equal(listed, want) {
		t.Errorf("%s lists the commands %v, the program has %v", manual, listed, want)
	}
}

// firstCells returns the first cells of table rows with a prefix.
func firstCells(text, prefix string) string {
	var b strings.Builder
	for _, row := range cells(text) {
		if strings.HasPrefix("|"+row[0], prefix) {
			b.WriteString(row[0])
		}
	}
	return b.String()
}

func TestTheManualHasAllVariablesAndExitCodes(t *testing.T) {
	helps, parts := help(t), sections(pages(t)[manual])
	for command, text := range helps {
		for _, name := range words(helpEnv, text) {
			if !strings.Contains(parts["Environment"], "`"+name+"`") {
				t.Errorf("%s does not have the variable %s of %s", manual, name, command)
			}
		}
	}
	_, list, _ := strings.Cut(helps[""], "Exit codes:")
	var described []string
	for _, row := range cells(parts["Exit codes"]) {
		described = append(described, words(number, row[0])...)
	}
	slices.Sort(described)
	if want := words(number, list); !slices.Equal(described, want) {
		t.Errorf("%s has the exit codes %v, the help has %v", manual, described, want)
	}
}

var call = regexp.MustCompile(`(?m)(?:^|[\s/])(coordinator|godags|worker)((?: [^\n#;|&]*)?)`)

func TestCommandsInPagesExist(t *testing.T) {
	helps, calls := help(t), 0
	for _, s := range snippets(t) {
		if s.language != "sh" {
			continue
		}
		for _, m := range call.FindAllStringSubmatch(s.text, -1) {
			command, arguments := m[1], strings.Fields(m[2])
			if command != "worker" {
				if len(arguments) == 0 {
					continue
				}
				command, arguments = arguments[0], arguments[1:]
			}
			text, ok := helps[command]
			if !ok {
				t.Errorf("%s: there is no command %q: %s", s.page, command, m[0])
			}
			for _, flag := range words(flagWord, strings.Join(arguments, " ")) {
				if !slices.Contains(flagsOf(text), flag) {
					t.Errorf("%s: %s has no flag %s: %s", s.page, command, flag, m[0])
				}
			}
			calls++
		}
	}
	if calls < 10 {
		t.Fatalf("found only %d commands", calls)
	}
}
