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

// Isolate separates this process from its caller. It is called at the start of a program. It
//
//   - executes the program again if the caller has blocked signals: commands of stages would
//     inherit that, and ignore SIGTERM;
//   - closes descriptors that the caller left open, such as the pipe of a jobserver, in commands of
//     stages, which would hold them open;
//   - conceals private variables: see conceal.
//
// A failure does not harm this process. The error says what other processes may see or inherit.
func Isolate() error {
	return errors.Join(unblockSignals(), closeOnExec(), conceal())
}

// unblockSignals executes the program again with no signal blocked, if some are.
func unblockSignals() error {
	// To unblock them in this thread is not enough. Go gives the mask with which the process
	// started to every new thread, and to every process that it starts.
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

	// Linux before 5.11 does not have the call with this flag.
	open, err := os.ReadDir("/proc/self/fd")
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
		// The kernel has done it already, as for a program that its user may execute but not read.
		return nil
	}

	// First the memory: a process that is not dumpable cannot open its own.
	blank := blankBlock()
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("conceal the environment: %w", err)
	}

	return blank
}

// blankBlock overwrites private variables in the environment that the kernel gave to the process.
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

	// Go has copied the environment, so only other processes lose sight of the variables.
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

	// Field 2, the name of the program, may contain spaces and brackets. So fields are counted from
	// the last bracket.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const envStart = 50 - 3
	if len(fields) <= envStart {
		return 0, fmt.Errorf("/proc/self/stat has %d fields", len(fields)+2)
	}

	return strconv.ParseInt(string(fields[envStart]), 10, 64)
}
