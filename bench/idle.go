package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	settleTime = 3 * time.Second // until a worker that has just worked is at rest
	idleTime   = 5 * time.Second // for which it is watched then
)

// idle samples what workers cost that have nothing to do.
func (l *lab) idle(start func(*world) ([]*process, error)) sampler {
	return l.sample(func(w *world) ([]figure, error) {
		workers, err := start(w)
		if err != nil {
			return nil, err
		}

		if err := pause(w.ctx, settleTime); err != nil {
			return nil, err
		}

		// Of threads, in nanoseconds: the clock ticks of /proc/PID/stat are too coarse for an idle
		// process.
		before, err := processorTime(workers)
		if err != nil {
			return nil, err
		}

		sent, inside, err := w.commands(idleTime)
		if err != nil {
			return nil, err
		}

		after, err := processorTime(workers)
		perSecond := float64(len(workers)) * idleTime.Seconds()
		return []figure{
			{idleCommands, "commands/s", float64(sent) / perSecond},
			{idleAll, "commands/s", float64(sent+inside) / perSecond},
			{idleCores, "% of a core", 100 * (after - before).Seconds() / perSecond},
		}, err
	})
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// commands counts for a while what Redis is asked to do, and what scripts do inside it because of
// that.
func (w *world) commands(d time.Duration) (sent, inside int, err error) {
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		return 0, 0, err
	}

	defer conn.Close()

	// MONITOR shows what scripts call too, which INFO does not tell from other commands.
	if _, err := fmt.Fprint(conn, "MONITOR\r\n"); err != nil {
		return 0, 0, err
	}

	if err := conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		return 0, 0, err
	}

	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		switch _, rest, isCommand := strings.Cut(lines.Text(), " ["); {
		case !isCommand: // the answer to our own
		case strings.Contains(strings.SplitN(rest, "]", 2)[0], "lua"):
			inside++
		default:
			sent++
		}
	}

	if err := lines.Err(); !errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, 0, fmt.Errorf("count commands: %w", errors.Join(err, w.ctx.Err()))
	}

	return sent, inside, nil
}

// processorTime is what all threads of processes have had of the processor so far.
func processorTime(processes []*process) (total time.Duration, err error) {
	for _, p := range processes {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.pid))
		if err != nil {
			return 0, err
		}

		if len(threads) == 0 {
			return 0, fmt.Errorf("process %d has no threads in /proc: this needs Linux", p.pid)
		}

		for _, file := range threads {
			text, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) {
				continue // the thread has ended since
			}

			var spent time.Duration
			if err == nil {
				_, err = fmt.Sscan(string(text), &spent) // nanoseconds
			}

			if err != nil {
				return 0, err
			}

			total += spent
		}
	}
	return total, nil
}
