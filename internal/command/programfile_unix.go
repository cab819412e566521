//go:build unix

package command

import (
	"debug/elf"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

func executable(path string) bool {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) == nil
}

// loaderOf returns the dynamic loader that an ELF program names, or "".
func loaderOf(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()

	for _, part := range f.Progs {
		if part.Type == elf.PT_INTERP {
			name, err := io.ReadAll(io.LimitReader(part.Open(), 4096))
			if err != nil {
				return ""
			}
			return strings.TrimRight(string(name), "\x00")
		}
	}

	return ""
}

// machineOf returns the processor that an ELF program was built for, or "".
func machineOf(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	return strings.TrimPrefix(f.Machine.String(), "EM_")
}
