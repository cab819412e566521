package command

// User is the user that commands run as, if it is not that of the worker: see [LookupUser].
type User struct {
	Name, Home string

	uid, gid uint32
	groups   []uint32 // supplementary groups
}

// Env returns the variables that tell a command its user.
func (u *User) Env() map[string]string {
	return map[string]string{"HOME": u.Home, "USER": u.Name, "LOGNAME": u.Name}
}
