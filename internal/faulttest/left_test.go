package faulttest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"

	"github.com/godags/godags/internal/faulttest"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/redistest"
)

func TestMain(m *testing.M) {
	logging.Disable() // go-redis tells of every connection that a test breaks
	goleak.VerifyTestMain(m)
}

func TestWhatARunLeavesInRedisIsFound(t *testing.T) {
	rdb, ctx := redistest.Mini(t), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	look := func(want ...string) {
		t.Helper()
		left, err := faulttest.Leftovers(ctx, rdb, "r")
		if must(err); !slices.Equal(left, want) {
			t.Errorf("found %q, want %q", left, want)
		}
	}
	ended, claimed := "\x00\x01\x03.....", "\x00\x02\x01....."
	must(rdb.Set(ctx, "godags:{r}:fence", ended+ended, 0).Err())
	must(rdb.LPush(ctx, "asynq:{default}:active", queue.TaskID("other", "a", 1)).Err())
	look()
	must(rdb.Set(ctx, "godags:{r}:fence", ended+claimed, 0).Err())
	must(rdb.LPush(ctx, "asynq:{default}:active", queue.TaskID("r", "a", 1)).Err())
	must(rdb.ZAdd(ctx, "asynq:{default}:lease", redis.Z{Member: queue.TaskID("r", "a", 1)}).Err())
	look("active task r:a:1", "lease task r:a:1", "claim of attempt 2 of stage 1")
}

func TestAProcessThatARunLeavesBehindIsFound(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return // nothing can be found here
	}
	// of this test, should it be executed twice at once
	run := fmt.Sprint("left-behind-", os.Getpid())
	cmd := exec.Command("sh", "-c", "echo; read word")
	cmd.Env = append(os.Environ(), "GODAGS_RUN="+run)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	bufio.NewReader(out).ReadString('\n') // it runs
	if left := faulttest.Processes(run); len(left) != 1 {
		t.Errorf("found %q", left)
	}
	if left := faulttest.Processes("left"); len(left) != 0 {
		t.Errorf("of another run: found %q", left)
	}
	in.Close()
	cmd.Wait() // read finds nothing to read
	if left := faulttest.Processes(run); len(left) != 0 {
		t.Errorf("it has ended: found %q", left)
	}
}
