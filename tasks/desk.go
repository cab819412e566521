package tasks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// desk is where one command at a time works: a private folder with its inputs and its output. Desks are used again, because
// to make and remove a folder takes longer than all else that is done around a short command.
type desk struct {
	office *office
	number int
	used   int // by how many commands; leftovers of one must not be taken for the output of the next
}

// office is a folder with desks, and the guard that looks after them when this process is killed.
type office struct {
	dir   string
	guard *guard // nil: none can be had
	desks int
	busy  int
	free  []*desk
}

// commands is the office of all commands of this process, since it is the process that is guarded.
var commands struct {
	sync.Mutex
	office *office // nil: not open
}

const noGuard = "godags: no guard: if this worker is killed, what the command started may go on: %v\n"

// takeDesk returns a desk that is to be left.
func takeDesk(log io.Writer) (*desk, error) {
	commands.Lock()
	defer commands.Unlock()
	if o := commands.office; o != nil && !o.usable() {
		commands.office = nil // who is in it leaves it later
		if err := o.closeIfEmpty(); err != nil {
			return nil, err
		}
	}
	if commands.office == nil {
		o, err := openOffice(log)
		if err != nil {
			return nil, err
		}
		commands.office = o
	}
	return commands.office.take()
}

func openOffice(log io.Writer) (*office, error) {
	dir, err := os.MkdirTemp("", "godags-")
	if err != nil {
		return nil, fmt.Errorf("%w: folder for inputs and outputs: %w", ErrWorker, err)
	}
	g, err := startGuard(dir)
	if err != nil {
		fmt.Fprintf(log, noGuard, err)
	}
	return &office{dir: dir, guard: g}, nil
}

// usable is false when the folder was cleaned away, or the guard killed.
func (o *office) usable() bool {
	_, err := os.Lstat(o.dir)
	return err == nil && (o.guard == nil || !o.guard.dead())
}

func (o *office) take() (*desk, error) {
	d := &desk{office: o, number: o.desks}
	if last := len(o.free) - 1; last >= 0 {
		d, o.free = o.free[last], o.free[:last]
	} else {
		o.desks++
	}
	d.used++
	o.busy++
	if err := os.MkdirAll(d.inputs(), 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: folder for inputs: %w", ErrWorker, err), o.leave(d))
	}
	return d, nil
}

func (o *office) leave(d *desk) error {
	o.busy--
	o.free = append(o.free, d)
	if commands.office == o && o.guard != nil {
		return nil // the guard closes it when the process ends
	}
	return o.closeIfEmpty()
}

func (o *office) closeIfEmpty() error {
	if o.busy > 0 {
		return nil
	}
	if commands.office == o {
		commands.office = nil
	}
	if o.guard != nil {
		o.guard.dismiss()
	}
	if err := os.RemoveAll(o.dir); err != nil {
		return fmt.Errorf("remove the folder of inputs and outputs: %w", err)
	}
	return nil
}

func (d *desk) dir() string    { return filepath.Join(d.office.dir, strconv.Itoa(d.number)) }
func (d *desk) inputs() string { return filepath.Join(d.dir(), "inputs") }
func (d *desk) output() string { return filepath.Join(d.dir(), "output-"+strconv.Itoa(d.used)) }

// watch lets the guard look after the group; 0 ends that.
func (d *desk) watch(g group, log io.Writer) {
	if d.office.guard == nil {
		return
	}
	if err := d.office.guard.watch(d.number, g); err != nil {
		fmt.Fprintf(log, noGuard, err)
	}
}

// leave clears the desk for the next command.
func (d *desk) leave() error {
	err := errors.Join(clearFolder(d.inputs(), ""), clearFolder(d.dir(), "inputs"))
	commands.Lock()
	defer commands.Unlock()
	return errors.Join(err, d.office.leave(d))
}

// clearFolder removes all from a folder but the entry keep. That the folder itself is gone is no error.
func clearFolder(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	faults := []error{err}
	for _, e := range entries {
		if e.Name() != keep {
			faults = append(faults, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("clear the folder of inputs and output: %w", err)
	}
	return nil
}
