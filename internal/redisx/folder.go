//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package redisx

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godags/godags/internal/owned"
)

// maxSocketPath is what the address of a unix socket holds on every system
// (macOS: 104 bytes with the final zero).
const maxSocketPath = 103

// logTailSize is how much of a log an error shows, in bytes.
const logTailSize = 1500

// prepare makes the state folder and chooses the path of the socket.
func (p *private) prepare(home string) error {
	home, err := makeHome(home)
	if err != nil {
		return err
	}

	p.folder = filepath.Join(home, "redis")
	if err := makePrivate(p.folder); err != nil {
		return err
	}

	p.socket = p.path(socketName)
	if len(p.socket) <= maxSocketPath {
		return nil
	}

	// The path is too long for a socket. All commands of this user must find the same other path,
	// and other state folders must not: so its name is made from both.
	hash := sha256.Sum256([]byte(home))
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("godags-%d-%x", os.Geteuid(), hash[:8]))
	p.socket = filepath.Join(folder, socketName)
	if len(p.socket) > maxSocketPath {
		return fmt.Errorf("its path is too long for a unix socket, and so is %s", p.socket)
	}

	return makePrivate(folder)
}

// removeSocket removes the folder that prepare made outside the state folder.
func (p *private) removeSocket() {
	if folder := filepath.Dir(p.socket); folder != p.folder {
		os.RemoveAll(folder)
	}
}

// makeHome makes the state folder and returns its real, absolute path.
func makeHome(home string) (string, error) {
	home, made, err := owned.MakeFolder(home)
	if err != nil {
		return "", err
	}

	if made {
		// State is not for version control.
		err = os.WriteFile(filepath.Join(home, ".gitignore"), []byte("*\n"), 0o600)
	}

	return home, err
}

// makePrivate makes a folder that only this user can enter, or checks that path is one.
func makePrivate(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}

	// Not through a link: in a folder that is open to all, such as /tmp, any user can make one.
	stat, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !stat.IsDir() {
		return fmt.Errorf("%s is not a folder", path)
	}
	if err := owned.Check(path, stat); err != nil {
		return err
	}
	if stat.Mode().Perm() != 0o700 {
		return os.Chmod(path, 0o700)
	}

	return nil
}

// ask sends one command without arguments. It returns the first line of the answer, or "".
func (p *private) ask(command string) string {
	// A single attempt, without a client that retries: the callers poll.
	conn, err := net.DialTimeout("unix", p.socket, answerTimeout)
	if err != nil {
		return ""
	}
	defer conn.Close()

	buf := make([]byte, 512)
	if conn.SetDeadline(time.Now().Add(answerTimeout)) != nil {
		return ""
	}
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return ""
	}

	n, _ := conn.Read(buf)
	line, _, _ := strings.Cut(string(buf[:n]), "\r\n")
	return line
}

// logTail returns the last lines of the server's log, indented, or "".
func (p *private) logTail() string {
	log, err := os.ReadFile(p.path("redis.log"))
	if err != nil {
		return ""
	}

	if len(log) > logTailSize {
		// From the first whole line.
		log = log[len(log)-logTailSize:]
		_, log, _ = bytes.Cut(log, []byte("\n"))
	}

	return "  " + strings.ReplaceAll(strings.TrimSpace(string(log)), "\n", "\n  ")
}
