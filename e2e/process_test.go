package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// process is a program that was started. Its output goes to the files name.out and name.err.
type process struct {
	*exec.Cmd
	name string
	done chan struct{}
}

func launch(cmd *exec.Cmd, name string) (*process, error) {
	p := &process{cmd, name, make(chan struct{})}
	out, err := os.Create(name + ".out")
	if err != nil {
		return nil, err
	}
	defer out.Close()
	errs, err := os.Create(name + ".err")
	if err != nil {
		return nil, err
	}
	defer errs.Close()
	// files, so that no process that goes on can keep Wait from returning
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	return p, nil
}

func (p *process) stdout() string { return read(p.name + ".out") }
func (p *process) stderr() string { return read(p.name + ".err") }

func read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// wait waits for the end and returns the exit code: -1 if a signal ended it.
func (p *process) wait(most time.Duration) (code int, ok bool) {
	select {
	case <-p.done:
		return p.ProcessState.ExitCode(), true
	case <-time.After(most):
		return 0, false
	}
}

// kill makes sure that it has ended.
func (p *process) kill() {
	p.Process.Kill() // it fails if there is nothing to kill
	<-p.done
}

// alive reports whether there is a process with this number that has not ended.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	// "123 (name) S ..."; the name may contain anything
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return err != nil || !bytes.HasPrefix(state, []byte("Z"))
}

// need skips a test where a program is not installed.
func need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		skip(t, fmt.Sprintf("%s is not on PATH: install %[1]s to run this test", program))
	}
}

// skip ends a test that cannot run here. If nothing may be skipped the test fails.
func skip(t testing.TB, advice string) {
	t.Helper()
	if os.Getenv("GODAGS_TEST_STRICT") == "1" {
		t.Fatal(advice)
	}
	t.Skip(advice)
}

// withoutRedis makes a folder in dir with everything that the tests need on PATH, except
// redis-server.
func withoutRedis(dir string) (string, error) {
	bin := filepath.Join(dir, ".bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"coordinator", "worker", "sh", "cat", "env", "sleep", "touch", "rm"} {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", err
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			return "", err
		}
	}
	return bin, nil
}
