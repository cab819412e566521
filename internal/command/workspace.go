package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/godags/godags/internal/fault"
)

const (
	inputsName  = "inputs"
	outputName  = "output"
	scriptName  = "script"
	scratchName = "scratch"
)

// Workspace is the private folder of one attempt of a command: its inputs, its output, and the
// files that the command adds.
//
// It is made for one attempt and removed afterwards, and its name is never used again. So a command
// that replaces a file or folder there, or a process that survives it and still writes, reaches no
// other command. All access goes through the root of the parent, since the command may have
// replaced any part of the path by a link.
type Workspace struct {
	parent *workspaces
	name   string
}

// workspaces is the folder of all workspaces of this process, and the watchdog that removes it when
// the process is killed.
type workspaces struct {
	dir      string
	root     *os.Root
	identity fs.FileInfo // of root: dir is usable while it leads there
	watchdog *watchdog   // nil if there is none

	// Guarded by current.
	made  int
	inUse int
}

// current is where new workspaces are made. It is global because the watchdog watches the process.
var current struct {
	sync.Mutex
	*workspaces // nil before the first workspace
}

const noWatchdog = "godags: no watchdog: if this worker is killed, processes of the command may keep running: %v\n"

// NewWorkspace makes a workspace, which must be removed. An error is [fault.ErrWorker].
func NewWorkspace(log io.Writer) (*Workspace, error) {
	parent, number, err := reserveWorkspace(log)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fault.ErrWorker, err)
	}

	w := &Workspace{parent: parent, name: strconv.Itoa(number)}
	if err := w.make(); err != nil {
		return nil, fmt.Errorf("%w: folder for inputs and output: %w", fault.ErrWorker, errors.Join(err, w.Remove()))
	}

	return w, nil
}

// reserveWorkspace returns the parent of the next workspace, and its number.
func reserveWorkspace(log io.Writer) (*workspaces, int, error) {
	current.Lock()
	defer current.Unlock()

	// Programs that clean up /tmp remove folders, and users kill processes. Neither may fail a
	// stage. Commands that still use the old folder close it when they end.
	if w := current.workspaces; w != nil && !w.usable() {
		current.workspaces = nil
		if err := w.closeIfUnused(); err != nil {
			fmt.Fprintf(log, "godags: %v\n", err)
		}
	}

	if current.workspaces == nil {
		w, err := openWorkspaces(log)
		if err != nil {
			return nil, 0, err
		}
		current.workspaces = w
	}

	w := current.workspaces
	w.made++
	w.inUse++
	return w, w.made, nil
}

func openWorkspaces(log io.Writer) (*workspaces, error) {
	// The path must be absolute, since commands start in other folders.
	tmp, err := filepath.Abs(os.TempDir())
	if err != nil {
		return nil, fmt.Errorf("folder for inputs and outputs: %w", err)
	}

	dir, err := os.MkdirTemp(tmp, "godags-")
	if err != nil {
		return nil, fmt.Errorf("folder for inputs and outputs: %w", err)
	}

	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}

	identity, err := root.Stat(".")
	if err != nil {
		return nil, errors.Join(err, root.Close(), os.Remove(dir))
	}

	// Commands can run without a watchdog. It only matters if the worker is killed.
	dog, err := startWatchdog(dir, root)
	if err != nil {
		fmt.Fprintf(log, noWatchdog, err)
	}
	return &workspaces{dir: dir, root: root, identity: identity, watchdog: dog}, nil
}

// usable returns false if the folder was removed or replaced, or the watchdog was killed.
func (w *workspaces) usable() bool {
	info, err := os.Lstat(w.dir)
	return err == nil && os.SameFile(info, w.identity) && (w.watchdog == nil || !w.watchdog.dead())
}

// release is called when a workspace is not used any more.
func (w *workspaces) release() error {
	current.Lock()
	defer current.Unlock()

	// The folder is kept for the next command. The watchdog removes it when the process ends; if
	// there is none, it must be removed now.
	w.inUse--
	if current.workspaces == w && w.watchdog != nil {
		return nil
	}
	return w.closeIfUnused()
}

func (w *workspaces) closeIfUnused() error {
	if w.inUse > 0 {
		return nil
	}

	if current.workspaces == w {
		current.workspaces = nil
	}

	if w.watchdog != nil {
		w.watchdog.stop()
	}

	// Another folder or a link may have the path by now, and must stay.
	err := errors.Join(removeContents(w.root), w.root.Close())
	if info, statErr := os.Lstat(w.dir); err == nil && statErr == nil && os.SameFile(info, w.identity) {
		err = os.Remove(w.dir)
	}
	if err != nil {
		return fmt.Errorf("remove the folder of inputs and outputs: %w", err)
	}

	return nil
}

// watch has the watchdog kill a session if the worker is killed. It returns the line for unwatch.
func (w *Workspace) watch(s session, log io.Writer) (line int) {
	if w.parent.watchdog == nil {
		return 0
	}
	line, err := w.parent.watchdog.watch(s)
	if err != nil {
		fmt.Fprintf(log, noWatchdog, err)
	}
	return line
}

func (w *Workspace) unwatch(line int, log io.Writer) {
	if w.parent.watchdog == nil {
		return
	}
	if err := w.parent.watchdog.unwatch(line); err != nil {
		fmt.Fprintf(log, noWatchdog, err)
	}
}

func (w *Workspace) make() error {
	if err := w.parent.root.Mkdir(w.name, 0o700); err != nil {
		return err
	}

	if err := w.parent.root.Mkdir(w.entry(inputsName), 0o700); err != nil {
		return err
	}
	return w.parent.root.Mkdir(w.entry(scratchName), 0o700)
}

// entry returns the name of a file of the workspace, relative to the root of all workspaces.
func (w *Workspace) entry(name string) string { return w.name + "/" + name }

// path returns the absolute path of a file of the workspace, for commands.
func (w *Workspace) path(name string) string { return filepath.Join(w.parent.dir, w.name, name) }

// InputsPath returns the path of the folder of inputs.
func (w *Workspace) InputsPath() string { return w.path(inputsName) }

// OutputPath returns the path of the output file, which the command may write.
func (w *Workspace) OutputPath() string { return w.path(outputName) }

// ScratchPath returns the path of an empty folder, in which the command may write what it needs
// until it ends.
func (w *Workspace) ScratchPath() string { return w.path(scratchName) }

// WriteScript writes a script to a file of the workspace. It returns a text for the shell that
// executes the script in the same shell.
func (w *Workspace) WriteScript(text string) (string, error) {
	if err := systemFault(w.parent.root.WriteFile(w.entry(scriptName), []byte(text), 0o600)); err != nil {
		return "", err
	}
	return ". " + quoteForShell(w.path(scriptName)), nil
}

// output describes the output file, or is nil if there is none.
func (w *Workspace) output() fs.FileInfo {
	info, err := w.parent.root.Lstat(w.entry(outputName))
	if err != nil {
		return nil
	}
	return info
}

// Remove removes the workspace and everything in it. What cannot be removed stays, which harms no
// other command: no other workspace gets its name.
func (w *Workspace) Remove() error {
	root := w.parent.root
	var err error

	// For most commands two empty folders are the only entries, and few system calls are enough. If
	// one is not empty, removeTree removes it.
	if info, statErr := root.Lstat(w.name); statErr == nil && info.IsDir() {
		_ = root.Remove(w.entry(inputsName))
		_ = root.Remove(w.entry(scratchName))
	}

	if root.Remove(w.name) != nil {
		err = removeTree(root, w.name)
	}
	if err != nil {
		err = fmt.Errorf("cannot remove what the command left in %s: %w", w.path(""), err)
	}
	return errors.Join(err, w.parent.release())
}
