//go:build !linux

package command

func noexec(string) bool { return false }
