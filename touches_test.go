package godags_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/godags/godags"
)

// A library must not find a Redis, a folder or a key that its caller did not name.
func TestRun_TouchesNothingOutsideTheProcess(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
	t.Setenv("TMPDIR", home)
	// Each of these fails the run, or leaves a folder, if it is read.
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1")
	t.Setenv("GODAGS_KEY", "short")
	t.Setenv("GODAGS_HOME", filepath.Join(dir, "state"))

	before := openNow(t)
	p := godags.New("alone")
	p.Do("look", func(context.Context) error {
		var problems []error
		for _, folder := range []string{dir, home} {
			entries, err := os.ReadDir(folder)
			if err != nil || len(entries) > 0 {
				problems = append(problems, fmt.Errorf("%s has %v, %v", folder, entries, err))
			}
		}
		if opened := openNow(t); !slices.Equal(opened, before) {
			problems = append(problems, fmt.Errorf("sockets and children are %q, were %q", opened, before))
		}
		return errors.Join(problems...)
	})
	report, err := godags.Run(t.Context(), p)
	mustSucceed(t, report, err)
}

// openNow lists the sockets and the children of this process. Where there is no /proc it lists
// none.
func openNow(t *testing.T) (list []string) {
	descriptors, _ := filepath.Glob("/proc/self/fd/*")
	for _, d := range descriptors {
		if target, err := os.Readlink(d); err == nil && strings.HasPrefix(target, "socket:") {
			list = append(list, target)
		}
	}
	children, _ := filepath.Glob("/proc/self/task/*/children")
	for _, file := range children {
		content, err := os.ReadFile(file)
		if err == nil && len(content) > 0 {
			list = append(list, "children "+string(content))
		}
	}
	slices.Sort(list)
	return list
}
