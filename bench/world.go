package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
)

// world is a redis-server with nothing in it, and the processes that use it. Every sample has
// a separate world.
type world struct {
	lab     *lab
	team    team
	ctx     context.Context // of everything in it
	addr    string
	rdb     *redis.Client
	journal *journal.Journal
	fleet   *fleet.Fleet
	folder  string
	stops   []func() error
}

const (
	readyTime = 10 * time.Second // for a process to become ready
	pollEvery = time.Millisecond
)

// inWorld calls f with a world, and takes it down.
func (l *lab) inWorld(ctx context.Context, f func(*world) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &world{lab: l, team: l.files, ctx: ctx}
	defer func() {
		// The last first: workers must end before their Redis does.
		for i := range w.stops {
			err = errors.Join(err, w.stops[len(w.stops)-1-i]())
		}
	}()

	if err := w.startRedis(); err != nil {
		return err
	}

	return f(w)
}

// url is what programs take for finding the Redis.
func (w *world) url() string { return "redis://" + w.addr }

func (w *world) startRedis() (err error) {
	// An append-only file that is synced once a second, as a production Redis has it.
	if w.folder, err = os.MkdirTemp(w.lab.folder, "redis-"); err != nil {
		return err
	}

	w.stops = append(w.stops, func() error { return os.RemoveAll(w.folder) })

	if w.addr, err = freePort(); err != nil {
		return err
	}

	_, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		return err
	}

	if _, err := w.launch("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", w.folder, "--save", "",
		"--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"); err != nil {
		return err
	}

	// Without retries: an error of this client is an error of the sample.
	w.rdb = redis.NewClient(&redis.Options{Addr: w.addr, Protocol: 2, MaxRetries: -1})
	w.stops = append(w.stops, w.rdb.Close)
	w.journal = journal.New(w.rdb)
	w.fleet = fleet.New(w.rdb)
	return w.wait("redis-server", func() (bool, error) { return w.rdb.Ping(w.ctx).Err() == nil, nil })
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// launch starts a process that is stopped with the world, unless it is stopped before.
func (w *world) launch(name string, args ...string) (*process, error) {
	p, err := launch(w.ctx, nil, name, args...)
	if err == nil {
		w.stops = append(w.stops, p.stop)
	}
	return p, err
}

// wait asks until the answer is yes.
func (w *world) wait(what string, ready func() (bool, error)) error {
	for deadline := time.Now().Add(readyTime); time.Now().Before(deadline); {
		if ok, err := ready(); ok || err != nil {
			return err
		}
		select {
		case <-time.After(pollEvery):
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		}
	}
	return fmt.Errorf("%s is not ready after %v", what, readyTime)
}

// startWorkers starts worker processes of godags with one slot each, and has them execute a few
// stages, so that scripts and connections are there.
func (w *world) startWorkers(n int) (workers []*process, err error) {
	for range n {
		p, err := w.startWorker()
		if err != nil {
			return nil, err
		}
		workers = append(workers, p)
	}

	err = w.wait("a worker", func() (bool, error) {
		list, err := w.fleet.Workers(w.ctx)
		return len(list) == n, err
	})
	if err != nil {
		return nil, err
	}

	// The first run loads scripts and opens connections, which would be measured otherwise.
	warm, err := w.lab.file(warmUp)
	if err == nil {
		_, err = w.run(warm)
	}

	return workers, err
}

func (w *world) startWorker() (*process, error) {
	return w.launch(w.team.worker[0], append(w.team.worker[1:len(w.team.worker):len(w.team.worker)], "--redis", w.url())...)
}

// redisMemory returns a figure of the memory of Redis, in bytes.
func (w *world) redisMemory(name string) (float64, error) {
	info, err := w.rdb.InfoMap(w.ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(info["Memory"][name], 64)
}
