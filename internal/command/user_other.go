//go:build !unix

package command

import (
	"errors"
	"io/fs"
)

// LookupUser returns an error: commands run as the user of the worker on this system.
func LookupUser(string) (*User, error) {
	return nil, errors.New("commands cannot run as another user on this system")
}

func (w *Workspace) chown(*User) error            { return nil }
func (u *User) checkOwner(fs.FileInfo) error      { return nil }
func (u *User) inaccessible(string) (path string) { return "" }
