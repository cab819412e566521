package sign

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const pathEnv = "SEAL_TEST_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(pathEnv); path != "" { // we are one of many programs that need the key
		k, err := File(path)
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString(k.Text())
		return
	}
	os.Exit(m.Run())
}

func TestProgramsThatStartAtOnceMakeOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config", "godags", "key")
	const programs = 20
	texts := make(chan string)
	for range programs {
		go func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), pathEnv+"="+path)
			text, err := cmd.Output()
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				err = errors.New(string(exit.Stderr))
			}
			if err != nil {
				text = []byte(err.Error())
			}
			texts <- string(text)
		}()
	}
	k, err := File(path)
	if err != nil {
		t.Fatal(err)
	}
	for range programs {
		if text := <-texts; text != k.Text() {
			t.Errorf("another program says %q", text)
		}
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("left beside the key: %v %v", files, err)
	}
	for path, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
}

func TestAKeyFileThatCannotBeUsedIsExplained(t *testing.T) {
	write := func(text string, mode fs.FileMode) string {
		path := filepath.Join(t.TempDir(), "key")
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("", 0o600)
	for name, test := range map[string]struct{ path, want string }{
		"readable by others": {write("text of a good key", 0o640), "chmod 600 "},
		"empty":              {file, "is empty: remove it"},
		"too short":          {write("short", 0o600), "too short"},
		"a folder":           {t.TempDir(), "is not a file"},
		"below a file":       {filepath.Join(file, "key"), "not a directory"},
	} {
		_, err := File(test.path)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), Variable) || !strings.Contains(err.Error(), test.path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The owner of the key file knows the key: as with sudo, which may keep HOME.
func TestFile_RefusesTheKeyOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be two users")
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := errors.Join(os.WriteFile(path, []byte("text of a good key"), 0o600), os.Chown(path, 12345, 0)); err != nil {
		t.Fatal(err)
	}
	_, err := File(path)
	if err == nil || !strings.Contains(err.Error(), path+" belongs to user 12345") || !strings.Contains(err.Error(), Variable) {
		t.Errorf("got %v, want an error that names the owner and %s", err, Variable)
	}
}

func TestAUserWithoutAHomeIsToldWhatToDo(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	if path, err := UserFile(); err == nil || !strings.Contains(err.Error(), "set "+Variable) {
		t.Error(path, err)
	}
	t.Setenv("XDG_CONFIG_HOME", "/settings")
	if path, err := UserFile(); path != "/settings/godags/key" || err != nil {
		t.Error(path, err)
	}
}
