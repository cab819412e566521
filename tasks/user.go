package tasks

// User is the user that commands run as, other than that of the worker: see [LookupUser].
type User struct {
	Name, Home string

	uid, gid uint32
	groups   []uint32 // supplementary ones
}

// env returns the variables that tell a command who it is.
func (u *User) env() map[string]string {
	return map[string]string{"HOME": u.Home, "USER": u.Name, "LOGNAME": u.Name}
}
