package command

import (
	"os"
	"path/filepath"
	"testing"
)

func TestProgram_ExplainsItsExit(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "there.sh"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		argv []string
		code int
		want string
	}{
		{[]string{"sh", "none.sh", "x"}, 2, "there is no file none.sh in " + dir},
		{[]string{"/bin/bash", "-eu", "none.sh"}, 127, "there is no file none.sh in " + dir},
		{[]string{"python3", "none.py"}, 2, "there is no file none.py in " + dir},
		{[]string{"sh", "there.sh"}, 2, ""},
		{[]string{"sh", "-c", "none"}, 127, "a program or script was not found: PATH and the folder " + dir + " were searched"},
		{[]string{"sh", "-c", "none"}, 3, ""},
		{[]string{"python3", "-m", "none"}, 1, ""},
		{[]string{"grep", "none"}, 1, ""},
	} {
		if got := (Program{Argv: c.argv, Dir: dir}).ExplainExit(&ExitError{Code: c.code}); got != c.want {
			t.Errorf("%q, exit status %d: got %q, want %q", c.argv, c.code, got, c.want)
		}
	}
}
