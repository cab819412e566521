package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// roleEnv makes the test binary a program that is isolated, and then does what the value says.
const roleEnv = "PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := Isolate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out, err := exec.Command("sh", "-c", role).CombinedOutput()
	os.Stdout.Write(out)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("key:", os.Getenv("GODAGS_KEY"))
}

// isolated returns a program whose child executes a script of the shell.
func isolated(script string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+script, "GODAGS_KEY=a key of the fleet", "GODAGS_SECRET_A=a secret", "OTHER=is public")
	return cmd
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestIsolate_BlanksPrivateVariables(t *testing.T) {
	out := output(t, isolated(`tr '\0' '\n' </proc/$PPID/environ || echo refused`))
	if strings.Contains(out, "GODAGS_KEY") || strings.Contains(out, "secret") {
		t.Errorf("a child reads %q", out)
	}
	if os.Geteuid() == 0 && !strings.Contains(out, "OTHER=is public") {
		t.Errorf("root reads %q, want what is public", out)
	}
	if !strings.HasSuffix(out, "key: a key of the fleet\n") {
		t.Errorf("the program itself says %q, want the key", out)
	}
}

func TestIsolate_SealsTheProcess(t *testing.T) {
	cmd := isolated(`cat /proc/$PPID/environ || echo refused`)
	if os.Geteuid() == 0 { // root could read it
		if _, err := exec.LookPath("setpriv"); err != nil {
			t.Skip("setpriv is not on PATH: install util-linux to run this test")
		}
		program := t.TempDir() + "/program" // the test binary is where only root may look
		text, err := os.ReadFile(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(program, text, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{t.TempDir(), program} {
			if err := openToAll(folder); err != nil {
				t.Fatal(err)
			}
		}
		cmd.Path, cmd.Args = "/usr/bin/env", []string{"env", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program}
	}
	if out := output(t, cmd); !strings.Contains(out, "refused") || !strings.Contains(out, "key: a key of the fleet") {
		t.Errorf("a child of the same user: %q, want that it is refused", out)
	}
}

// openToAll lets everybody come to a file in the folder for temporary files.
func openToAll(path string) error {
	for ; len(path) > len(os.TempDir()); path = path[:strings.LastIndexByte(path, '/')] {
		if err := os.Chmod(path, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func TestIsolate_KeepsDescriptorsOfTheCallerFromChildren(t *testing.T) {
	cmd := isolated(`ls /proc/self/fd`)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	cmd.ExtraFiles = []*os.File{r, w}
	if out := output(t, cmd); !strings.HasPrefix(out, "0\n1\n2\n3\nkey") { // 3 is that of ls itself
		t.Errorf("a child has the descriptors %q, want the first three", out)
	}
}

func TestIsolate_UnblocksSignals(t *testing.T) {
	var blocked, before unix.Sigset_t
	blocked.Val[0] = 1<<(unix.SIGTERM-1) | 1<<(unix.SIGINT-1)
	cmd := isolated(`grep SigBlk /proc/self/status`)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	runOnThread(t, func() error { // the child has the mask of the thread that starts it
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before); err != nil {
			return err
		}
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
		return cmd.Start()
	})
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if !strings.Contains(out.String(), "SigBlk:\t0000000000000000\n") {
		t.Errorf("a child has %q, want no signal blocked", &out)
	}
}

func runOnThread(t *testing.T, do func() error) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := do(); err != nil {
		t.Fatal(err)
	}
}
