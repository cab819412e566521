package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// Call returns what a person types to start this process again, going by the name it was started
// with: that name, its last part if the shell finds the program by it, and "go run" with the
// package of one that `go run` has built and removes again.
func Call(started string) string {
	name := filepath.Base(started)
	if found, err := exec.LookPath(name); err == nil && found == started {
		return name
	}
	if info, ok := debug.ReadBuildInfo(); ok && strings.Contains(started, "go-build") {
		return goRun(name, info)
	}
	return shellWord(started)
}

func goRun(name string, info *debug.BuildInfo) string {
	pkg := info.Path
	if pkg == "command-line-arguments" { // files were named
		return name
	}
	if _, err := os.Stat("go.mod"); err == nil {
		pkg = "." + strings.TrimPrefix(pkg, info.Main.Path)
	}
	return "go run " + shellWord(pkg)
}
