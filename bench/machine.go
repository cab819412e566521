package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
)

// highLoad is an average load above which results say more about others than about us.
const highLoad = 1

// describe notes where and with what is measured, and warns if the machine is busy.
func (r *report) describe(ctx context.Context, root string) error {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return fmt.Errorf("load of the machine: %w: this needs Linux", err)
	}

	r.Load, _, _ = strings.Cut(string(text), " ")
	var load float64
	if _, err := fmt.Sscan(r.Load, &load); err != nil {
		return fmt.Errorf("load of the machine: %w", err)
	}

	if load > highLoad {
		fmt.Fprintf(os.Stderr, "WARNING: the load of this machine is %s before anything is measured: the results will be worse than they could be\n", r.Load)
	}

	redis, _, err := execute(ctx, "", nil, "redis-server", "--version")
	if err != nil {
		return fmt.Errorf("%w: install redis-server", err)
	}

	commit, _, err := execute(ctx, root, nil, "git", "describe", "--always", "--dirty")
	if err != nil {
		commit = "unknown" // not in a clone
	}

	r.Machine = []string{
		fmt.Sprintf("%d cores, %s, %s/%s", runtime.NumCPU(), first(`model name\s*: (.*)`, read("/proc/cpuinfo")), runtime.GOOS, runtime.GOARCH),
		"Linux " + first(`^Linux version (\S+)`, read("/proc/version")),
	}

	r.Versions = map[string]string{
		"godags": strings.TrimSpace(commit), "Go": runtime.Version(), "Redis": first(`v=(\S+)`, redis),
		"ninja": ask(ctx, "ninja"), "make": ask(ctx, "make"), "Asynq": moduleVersion("github.com/hibiken/asynq"),
	}

	return nil
}

// read returns a file, or nothing if it cannot be read.
func read(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// first returns what the group of an expression matches.
func first(expression, text string) string {
	if m := regexp.MustCompile(expression).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return "unknown"
}

// ask returns the version of a program.
func ask(ctx context.Context, program string) string {
	text, _, err := execute(ctx, "", nil, program, "--version")
	if err != nil {
		return "not found"
	}
	return first(`([0-9]+(?:\.[0-9]+)+)`, text)
}

func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, d := range info.Deps {
			if d.Path == path {
				return d.Version
			}
		}
	}

	return "unknown"
}
