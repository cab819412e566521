package command

import "golang.org/x/sys/unix"

// noexec reports whether the file is on a file system that is mounted with noexec.
func noexec(file string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(file, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0
}
