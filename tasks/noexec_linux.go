package tasks

import "golang.org/x/sys/unix"

// noexec tells whether the file is on a file system from which nothing may be executed.
func noexec(file string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(file, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0
}
