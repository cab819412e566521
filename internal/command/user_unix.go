//go:build unix

package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/godags/godags/internal/fault"
)

// LookupUser returns the user that text names: NAME or NAME:GROUP. The default group is the user's
// primary one. Commands get the supplementary groups too. Only root can run commands as another
// user.
func LookupUser(text string) (*User, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("only root can run commands as another user, and this worker runs as user %d", os.Geteuid())
	}

	name, group, given := strings.Cut(text, ":")
	found, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("no user %q on this machine: give the name of one, as in /etc/passwd", name)
	}

	gid := found.Gid
	if given {
		g, err := user.LookupGroup(group)
		if err != nil {
			return nil, fmt.Errorf("no group %q on this machine: give the name of one, as in /etc/group", group)
		}
		gid = g.Gid
	}

	groups, err := found.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", name, err)
	}

	// The first two are the user and the group, the rest are the supplementary groups.
	ids := make([]uint32, 0, 2+len(groups))
	for _, id := range append([]string{found.Uid, gid}, groups...) {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		ids = append(ids, uint32(n))
	}

	if ids[0] == 0 {
		return nil, fmt.Errorf("user %s is root, who can read everything: give another user", name)
	}

	return &User{Name: name, Home: found.HomeDir, uid: ids[0], gid: ids[1], groups: ids[2:]}, nil
}

// setCredential has a command run as the user. A nil user changes nothing.
func (u *User) setCredential(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	if u != nil {
		attr.Credential = &syscall.Credential{Uid: u.uid, Gid: u.gid, Groups: u.groups}
	}
	return attr
}

// chown gives a pipe to the user. Otherwise commands could not open /dev/stdout and /dev/stderr.
func (u *User) chown(fd int) error {
	if u == nil {
		return nil
	}
	return syscall.Fchown(fd, int(u.uid), int(u.gid))
}

// chown gives the workspace and everything in it to the user.
func (w *Workspace) chown(u *User) error {
	if u == nil {
		return nil
	}

	// The user must pass through the parent, and need not list it.
	root := w.parent.root
	err := root.Chmod(".", 0o711)

	for _, dir := range []string{w.entry(inputsName), w.name} {
		var entries []fs.DirEntry
		if err == nil {
			entries, err = fs.ReadDir(root.FS(), dir)
		}

		for _, e := range entries {
			if err == nil {
				err = root.Lchown(dir+"/"+e.Name(), int(u.uid), int(u.gid))
			}
		}
	}

	// The folder itself comes last. Until then only root can enter it, so that no process of the
	// user can replace a file before that file changes its owner.
	if err == nil {
		err = root.Lchown(w.name, int(u.uid), int(u.gid))
	}
	if err != nil {
		return fmt.Errorf("%w: give the folder of inputs and output to user %s: %w", fault.ErrWorker, u.Name, err)
	}

	return nil
}

// checkOwner refuses a file of another user. Through a hard link, the worker, which is root, would
// read a file that the command may not.
func (u *User) checkOwner(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if u == nil || ok && stat.Uid == u.uid {
		return nil
	}
	return fmt.Errorf("the file does not belong to user %s, as whom the command runs: "+
		"let the command write it itself", u.Name)
}

// inaccessible returns the first folder of the path that the user may not enter, or the path itself
// if it is a file that the user may not execute. It returns "" if the permissions allow it all.
func (u *User) inaccessible(path string) string {
	abs, err := filepath.Abs(path)
	if u == nil || err != nil {
		return ""
	}

	for i := range len(abs) + 1 {
		if i < len(abs) && abs[i] != '/' || i == 0 {
			continue
		}
		if info, err := os.Stat(abs[:i]); err == nil && !u.mayExecute(info) {
			return abs[:i]
		} else if errors.Is(err, fs.ErrNotExist) {
			return ""
		}
	}

	return ""
}

func (u *User) mayExecute(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return true
	case stat.Uid == u.uid:
		return info.Mode()&0o100 != 0
	case stat.Gid == u.gid || slices.Contains(u.groups, stat.Gid):
		return info.Mode()&0o010 != 0
	}

	return info.Mode()&0o001 != 0
}
