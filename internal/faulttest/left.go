package faulttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/queue"
)

// Leftovers names what remains of a finished run in Redis (I6): tasks of it that are in a queue or
// leased, and claims that no worker will ever report on. No tasks of other runs may be there.
func Leftovers(ctx context.Context, rdb redis.UniversalClient, run string) (left []string, err error) {
	// In every state of Asynq: a task that was archived or waits for a retry is orphaned too.
	prefix := strings.TrimSuffix(queue.TaskID(run, "", 0), ":0")
	for _, kind := range []string{"active", "pending", "lease", "retry", "scheduled", "archived", "completed"} {
		tasks, err := tasksIn(ctx, rdb, kind)
		if err != nil {
			return nil, err
		}

		for _, id := range tasks {
			if strings.HasPrefix(id, prefix) {
				left = append(left, fmt.Sprintf("%s task %s", kind, id))
			}
		}
	}

	claims, err := Claims(ctx, rdb, run)
	return append(left, claims...), err
}

// tasksIn returns the IDs of the tasks in one state, of all queues.
func tasksIn(ctx context.Context, rdb redis.UniversalClient, state string) (ids []string, err error) {
	keys, err := rdb.Keys(ctx, "asynq:{*}:"+state).Result()
	if err != nil {
		return nil, fmt.Errorf("leftovers: %w", err)
	}

	for _, key := range keys {
		kind, err := rdb.Type(ctx, key).Result()
		if err != nil {
			return nil, fmt.Errorf("leftovers: %w", err)
		}

		// Pending and active tasks are lists, all others are sorted sets.
		members := rdb.ZRange
		if kind == "list" {
			members = rdb.LRange
		}

		list, err := members(ctx, key, 0, -1).Result()
		if err != nil {
			return nil, fmt.Errorf("leftovers: %w", err)
		}

		ids = append(ids, list...)
	}

	return ids, nil
}

// Claims names the claims of a run that no worker has reported on. A fence cell of a stage is eight
// bytes; the third is 1 while it is claimed.
func Claims(ctx context.Context, rdb redis.UniversalClient, run string) (left []string, err error) {
	fence, err := rdb.Get(ctx, "godags:{"+run+"}:fence").Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil // nothing was ever claimed
	}
	if err != nil {
		return nil, fmt.Errorf("leftovers: fence of run %s: %w", run, err)
	}

	// Read without package journal, which might hide its own faults.
	for stage := 0; len(fence) >= 8*(stage+1); stage++ {
		if cell := fence[8*stage:]; cell[2] == 1 {
			left = append(left, fmt.Sprintf("claim of attempt %d of stage %d", int(cell[0])<<8+int(cell[1]), stage))
		}
	}

	return left, nil
}

// Processes names the orphaned processes of a run (I7): those whose environment says that
// they are commands of its stages.
func Processes(run string) (left []string) { return ProcessesWith("\x00GODAGS_RUN=" + run + "\x00") }

// ProcessesWith names the processes, other than this one, in whose environment a text stands; each
// variable stands between bytes of 0. It finds none where there is no /proc.
func ProcessesWith(text string) (list []string) {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return []string{err.Error()}
	}

	for _, path := range environs {
		environ, err := os.ReadFile(path)
		pid := filepath.Base(filepath.Dir(path))
		if err != nil || pid == strconv.Itoa(os.Getpid()) || !bytes.Contains(append([]byte{0}, environ...), []byte(text)) {
			continue // among others, it has just ended
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		list = append(list, fmt.Sprintf("process %s: %s", pid, bytes.ReplaceAll(bytes.TrimRight(command, "\x00"), []byte{0}, []byte{' '})))
	}

	return list
}
