package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// Call returns what a user types to start this program again. It is the name with which the process
// was started; or its last part, if the shell finds the program by that; or "go run" and the
// package, since `go run` removes the program that it has built.
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
	if pkg == "command-line-arguments" { // `go run` was given files
		return name
	}
	if _, err := os.Stat("go.mod"); err == nil {
		pkg = "." + strings.TrimPrefix(pkg, info.Main.Path)
	}
	return "go run " + shellWord(pkg)
}
