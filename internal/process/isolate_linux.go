package process

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Isolate is for the beginning of a program. It
//
//   - executes the program anew if its caller has blocked signals: commands of stages would inherit
//     that, and not end when they are told to;
//   - keeps what its caller has left open, such as the pipe of a jobserver, from commands of
//     stages, which would hold it open;
//   - conceals private variables: see conceal.
//
// What fails does not harm this process, but the error says what others may see or get.
func Isolate() error {
	return errors.Join(unblockSignals(), closeOnExec(), conceal())
}

// unblockSignals cannot be done in place: Go gives the mask that the process began with to every
// thread, and to every process it starts.
func unblockSignals() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	var none, blocked unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, nil, &blocked); err != nil {
		return fmt.Errorf("read the signal mask: %w", err)
	}
	if blocked == none {
		return nil
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil); err != nil {
		return fmt.Errorf("unblock signals: %w", err)
	}

	err := syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	return fmt.Errorf("unblock signals: %w", err)
}

// closeOnExec marks all descriptors but the first three.
func closeOnExec() error {
	err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}

	open, err := os.ReadDir("/proc/self/fd") // Linux before 5.11
	if err != nil {
		return fmt.Errorf("list open descriptors: %w", err)
	}

	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}

	return nil
}

// conceal makes private variables unreadable from outside this process: /proc/PID/environ shows
// them no more, and other processes of the same user, such as commands of stages, can neither read
// this process's memory nor its descriptors. [os.Getenv] knows them still, since Go has copied
// them. Root can read everything.
//
// It also means that no debugger of the same user can attach to the process, and that it leaves no
// core dump.
func conceal() error {
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err == nil && dumpable != 1 {
		// it is sealed already, as that of a program which its user may execute but not read
		return nil
	}

	blank := blankBlock() // before the process is sealed: then it could not open its own memory
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("conceal the environment: %w", err)
	}

	return blank
}

// blankBlock overwrites private variables where the kernel has put them when the process began.
func blankBlock() error {
	block, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		return fmt.Errorf("conceal the environment: %w", err)
	}

	start, err := environStart()
	if err != nil {
		return fmt.Errorf("conceal the environment: %w", err)
	}

	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("conceal the environment: %w", err)
	}
	defer memory.Close()

	for offset := 0; offset < len(block); {
		entry, _, _ := bytes.Cut(block[offset:], []byte{0})
		name, _, _ := bytes.Cut(entry, []byte{'='})
		if Private(string(name)) {
			if _, err := memory.WriteAt(make([]byte, len(entry)), start+int64(offset)); err != nil {
				return fmt.Errorf("conceal the environment: %w", err)
			}
		}
		offset += len(entry) + 1
	}

	return nil
}

// environStart returns the address of the environment: field 50 of /proc/self/stat.
func environStart() (int64, error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, err
	}

	// the name, field 2, may contain anything
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const envStart = 50 - 3
	if len(fields) <= envStart {
		return 0, fmt.Errorf("/proc/self/stat has %d fields", len(fields)+2)
	}

	return strconv.ParseInt(string(fields[envStart]), 10, 64)
}
