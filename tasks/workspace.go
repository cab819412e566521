package tasks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

const (
	inputsName = "inputs"
	outputName = "output"
	scriptName = "script"
)

// workspace is the private folder of one attempt of a command: its inputs, its output, and what the
// command puts beside them.
//
// It is made for the attempt and removed after it, and no other attempt gets its name. So what a
// command puts in place of a file or folder there, or what a process that outlives it still writes,
// reaches no other command. All access goes through the root of its parent, since any part of the
// path may have become a link.
type workspace struct {
	parent *workspaces
	name   string
}

// workspaces is the folder of all workspaces of this process, and the watchdog that removes it when
// the process is killed.
type workspaces struct {
	dir      string
	root     *os.Root
	identity fs.FileInfo // of root: what dir has to lead to
	watchdog *watchdog   // nil: there is none

	// Guarded by current.
	made  int
	inUse int
}

// current is what new workspaces are made in. It belongs to the process, since it is the process
// that the watchdog watches.
var current struct {
	sync.Mutex
	*workspaces // nil: none yet
}

const noWatchdog = "godags: no watchdog: if this worker is killed, what the command started may go on: %v\n"

// newWorkspace returns a workspace, which must be removed.
func newWorkspace(log io.Writer) (*workspace, error) {
	parent, number, err := reserveWorkspace(log)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWorker, err)
	}

	w := &workspace{parent: parent, name: strconv.Itoa(number)}
	if err := w.make(); err != nil {
		return nil, fmt.Errorf("%w: folder for inputs and output: %w", ErrWorker, errors.Join(err, w.remove()))
	}

	return w, nil
}

// reserveWorkspace returns where the next workspace belongs, and its number.
func reserveWorkspace(log io.Writer) (*workspaces, int, error) {
	current.Lock()
	defer current.Unlock()

	if w := current.workspaces; w != nil && !w.usable() {
		current.workspaces = nil // commands that use it close it later
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
	tmp, err := filepath.Abs(os.TempDir()) // commands start in other folders
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

	dog, err := startWatchdog(dir, root)
	if err != nil {
		fmt.Fprintf(log, noWatchdog, err)
	}
	return &workspaces{dir: dir, root: root, identity: identity, watchdog: dog}, nil
}

// usable is false when the folder was removed or replaced, or the watchdog killed.
func (w *workspaces) usable() bool {
	info, err := os.Lstat(w.dir)
	return err == nil && os.SameFile(info, w.identity) && (w.watchdog == nil || !w.watchdog.dead())
}

// release is called when a workspace is not used any more.
func (w *workspaces) release() error {
	current.Lock()
	defer current.Unlock()

	w.inUse--
	if current.workspaces == w && w.watchdog != nil {
		return nil // the watchdog removes the folder when the process ends
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
		w.watchdog.dismiss()
	}

	err := errors.Join(removeContents(w.root), w.root.Close())
	if info, statErr := os.Lstat(w.dir); err == nil && statErr == nil && os.SameFile(info, w.identity) {
		err = os.Remove(w.dir)
	}
	if err != nil {
		return fmt.Errorf("remove the folder of inputs and outputs: %w", err)
	}

	return nil
}

// watch lets the watchdog look after a session, and returns what unwatch takes to end that.
func (w *workspace) watch(s session, log io.Writer) (line int) {
	if w.parent.watchdog == nil {
		return 0
	}
	line, err := w.parent.watchdog.watch(s)
	if err != nil {
		fmt.Fprintf(log, noWatchdog, err)
	}
	return line
}

func (w *workspace) unwatch(line int, log io.Writer) {
	if w.parent.watchdog == nil {
		return
	}
	if err := w.parent.watchdog.unwatch(line); err != nil {
		fmt.Fprintf(log, noWatchdog, err)
	}
}

func (w *workspace) make() error {
	if err := w.parent.root.Mkdir(w.name, 0o700); err != nil {
		return err
	}
	return w.parent.root.Mkdir(w.entry(inputsName), 0o700)
}

// entry returns the name of something in the workspace, from the root of all workspaces.
func (w *workspace) entry(name string) string { return w.name + "/" + name }

// path returns the same for commands.
func (w *workspace) path(name string) string { return filepath.Join(w.parent.dir, w.name, name) }

// output describes the output file; nil if there is none.
func (w *workspace) output() fs.FileInfo {
	info, err := w.parent.root.Lstat(w.entry(outputName))
	if err != nil {
		return nil
	}
	return info
}

// remove removes the workspace with all that was left there. What cannot be removed stays: no other
// workspace gets its name.
func (w *workspace) remove() error {
	root := w.parent.root
	var err error

	// The folder of inputs is nearly always all that there is.
	if info, statErr := root.Lstat(w.name); statErr == nil && info.IsDir() {
		_ = root.Remove(w.entry(inputsName)) // if it is not empty, the next step removes it
	}

	if root.Remove(w.name) != nil {
		err = removeTree(root, w.name)
	}
	if err != nil {
		err = fmt.Errorf("cannot remove what the command left in %s: %w", w.path(""), err)
	}
	return errors.Join(err, w.parent.release())
}
