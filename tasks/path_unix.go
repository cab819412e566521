//go:build unix

package tasks

import (
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// onPath remembers where programs were found: to look through all folders of PATH is a tenth of what a worker does for a short command.
var onPath = lookups{places: make(map[wanted]place)}

type lookups struct {
	mu     sync.Mutex
	places map[wanted]place
}

type wanted struct{ name, path string }

type place struct {
	program string
	until   time.Time // when it is looked up again: there may be another one in a folder that comes before
}

const (
	placeTime = time.Second
	maxPlaces = 1000
)

// find is [exec.LookPath], except that what it says may be a second old. A program that is gone is looked up again at once.
func (l *lookups) find(name string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key, now := wanted{name, os.Getenv("PATH")}, time.Now()
	if p, ok := l.places[key]; ok && now.Before(p.until) && unix.Access(p.program, unix.X_OK) == nil {
		return p.program, nil
	}
	program, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	if len(l.places) == maxPlaces {
		clear(l.places)
	}
	l.places[key] = place{program, now.Add(placeTime)}
	return program, nil
}
