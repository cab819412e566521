//go:build unix

package owned

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Check returns an error if the file that info describes belongs to another user.
func Check(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: the system does not tell which user it belongs to", path)
	}
	// Root counts as this user: it can write to every file anyway.
	if uid := int(stat.Uid); uid != os.Geteuid() && uid != 0 {
		return fmt.Errorf("%s belongs to %s and not to %s", path, userName(uid), userName(os.Geteuid()))
	}
	return nil
}

// writable reports whether users other than the owner can write.
func writable(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}
