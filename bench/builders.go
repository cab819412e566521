package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// builder is a build tool: what its file says of one stage, and how it is called.
type builder struct {
	name   string
	header string
	rule   func(s stage) string
	all    string // comes before the names of all stages, which are to be executed
	args   []string
}

// Targets are names of files that never come about, so that every stage is executed.
var (
	ninja = builder{"ninja", "rule run\n  command = true\n", func(s stage) string {
		return fmt.Sprintf("build %s: run %s\n", s.Name, strings.Join(s.After, " "))
	}, "build all: phony", []string{"-j2", "--quiet", "all", "-f"}}

	gnuMake = builder{"make", ".SUFFIXES:\n", func(s stage) string {
		return fmt.Sprintf("%s: %s\n\t@true\n", s.Name, strings.Join(s.After, " "))
	}, "all:", []string{"-r", "-j2", "all", "-f"}}
)

// time is how long the tool takes, from its start to its end, for a shape of which every stage
// executes the program true.
func (b builder) time(ctx context.Context, l *lab, shape shape) (seconds float64, err error) {
	file := filepath.Join(l.folder, b.name+".file")
	if err := b.write(file, shape); err != nil {
		return 0, err
	}
	// The file is written before, since godags is measured from its submission.
	begin := time.Now()
	_, _, err = execute(ctx, l.folder, nil, b.name, append(b.args[:len(b.args):len(b.args)], file)...)
	return time.Since(begin).Seconds(), err
}

func (b builder) write(file string, shape shape) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	fmt.Fprint(out, b.header)
	all := b.all
	for s := range shape {
		fmt.Fprint(out, b.rule(s))
		all += " " + s.Name
	}

	fmt.Fprintln(out, all)
	return out.Flush()
}

// who is what the tool is called in tables.
func (b builder) who() string { return b.name + " -j2" }

// side returns the tool as a side of an experiment.
func (b builder) side(l *lab, p pipeline, read reading) side {
	s := side{who: b.who(), sample: func(ctx context.Context) ([]figure, error) {
		seconds, err := b.time(ctx, l, p.shape)
		return read(seconds), err
	}}
	if _, err := exec.LookPath(b.name); err != nil {
		s.lacks = "it is not on PATH"
	}
	return s
}
