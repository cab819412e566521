//go:build unix

package command

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/godags/godags/internal/fault"
)

func TestStartError_SaysWhyAndWhatToDo(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600), os.Chmod(filepath.Join(dir, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	foreign := slices.Clone(self)
	foreign[18], foreign[19] = 0xf3, 0 // RISC-V

	write("crlf", "#!/bin/sh\r\necho\r\n", 0o700)
	write("interpreter", "#! /no/such/interpreter -x\n", 0o700)
	write("locked-interpreter", "#!"+dir+"/not-executable\n", 0o700)
	write("no-first-line", "echo hello\n", 0o700)
	write("empty", "", 0o700)
	write("bom", "\xef\xbb\xbf#!/bin/sh\n", 0o700)
	write("windows", "MZ\x90\x00", 0o700)
	write("nothing-named", "#!\n", 0o700)
	write("not-executable", "#!/bin/sh\n", 0o600)
	if err := errors.Join(os.Mkdir(dir+"/folder", 0o700), os.Symlink("/no/such/target", dir+"/dangling"), os.Symlink("circle", dir+"/circle")); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"crlf": "CRLF", "interpreter": `"/no/such/interpreter"`, "locked-interpreter": "may not execute", "no-first-line": "[sh, ",
		"empty": "is empty", "bom": "byte order mark", "windows": "Windows", "nothing-named": "names no program",
		"not-executable": "chmod +x", "folder": "is a folder", "dangling": "a link to /no/such/target", "circle": "leads to itself",
		"crlf/below": "not a folder", "missing": "no such file on this worker",
	}
	if string(self[:4]) == "\x7fELF" {
		write("foreign", string(foreign), 0o700)
		cases["foreign"] = "RISCV"
	}
	for name, want := range cases {
		for _, program := range []string{filepath.Join(dir, name), "./" + name} {
			a := argv(program)
			a.Dir = dir
			if err := a.do(t); err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, fault.ErrNoRetry) {
				t.Errorf("%s: got %v, want an error with %q, not to be retried", program, err, want)
			}
		}
	}
	if err := argv("not-executable").do(t); err == nil || !strings.Contains(err.Error(), "chmod +x") || !errors.Is(err, fault.ErrNoRetry) {
		t.Errorf("got %v, want what is in PATH, not to be retried", err)
	}
}

// A stage may install the program of the next one.
func TestLookPath_IsNeverStale(t *testing.T) {
	one, other := t.TempDir(), t.TempDir()
	t.Setenv("PATH", one+string(os.PathListSeparator)+other+string(os.PathListSeparator)+os.Getenv("PATH"))
	install := func(dir string) {
		t.Helper()
		if err := os.WriteFile(dir+"/tool", []byte("#!/bin/sh\necho "+dir+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		if got := strings.TrimSpace(argv("tool").must(t)); got != want {
			t.Errorf("executed the one in %s, want %s", got, want)
		}
	}
	install(other)
	expect(other)
	install(one)
	expect(one)
	if err := os.Rename(one+"/tool", other+"/tool"); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(argv("tool").must(t)); got != one {
		t.Errorf("executed %s, want what was moved", got)
	}
	if err := os.Mkdir(one+"/tool", 0o700); err != nil { // a folder is no program
		t.Fatal(err)
	}
	expect(one)
}
