package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/godags/godags/internal/redistest"
)

// TestScripts runs testdata/*.txtar. Beside the commands of testscript they know
//
//	exits CODE PROGRAM ARGS...       a program that ends with exactly this code
//	until PATTERN PROGRAM ARGS...    runs a program until it succeeds with this output
//	spawn NAME PROGRAM ARGS...       a program in the background; output: NAME.out, NAME.err
//	signal NAME SIGNAL               sends INT, TERM, HUP or KILL to it
//	ended NAME CODE                  waits until it exits with this code; sets stdout and stderr
//	gone FILE...                     waits until the processes in these pid files are gone
//	needs PROGRAM                    skips the script where a program is not installed
//	hide redis-server                takes redis-server off PATH
//	redis [SETTINGS...]              starts a redis-server; sets $REDIS and $REDIS_SOCKET
//	flush                            makes it lose everything
//	keys                             the keys of runs in it become stdout
//	sentinels                        starts primary, replica and Sentinel with TLS; sets $REDIS
//	failover                         kills the primary and waits until the replica is the primary
//	fakeredis VERSION                starts a fake Redis of this version; sets $REDIS
//	get LOG PATH [PATTERN]           asks the metrics server of a worker until it matches
//	json FIELD PATTERN               a field (a.b.c) of the JSON on stdout matches as a whole
//	fields NAME,...                  the JSON object on stdout has these fields and no others
//	project FIELD...                 prints these fields of the NDJSON on stdout
//
// $REPOSITORY is the root of this module. No program may show a stack trace, whatever it is given.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": positive(2, exits), "until": positive(2, until),
			"spawn": positive(2, spawn), "signal": positive(2, signalSpawned), "ended": positive(2, ended), "gone": positive(1, gone),
			"needs": positive(1, needs), "hide": positive(1, hide), "redis": positive(0, startRedis), "flush": positive(0, flush), "keys": positive(0, keysOfRuns),
			"sentinels": positive(0, startSentinels), "failover": positive(0, failOver), "fakeredis": positive(1, startFakeRedis),
			"get": positive(2, get), "json": positive(2, checkJSON), "fields": positive(1, checkFields), "project": positive(1, project),
		},
	})
}

// Keys of what a script's commands need: its programs in the background, its Sentinels, and the
// test that it is.
type (
	spawned struct{}
	watched struct{}
	test    struct{}
)

func setUp(env *testscript.Env) error {
	programs := make(map[string]*process)
	env.Values[spawned{}] = programs
	env.Values[watched{}] = new(redistest.Sentinels)
	env.Values[test{}] = env.T()
	root, err := filepath.Abs(repository)
	if err != nil {
		return err
	}
	env.Setenv("REPOSITORY", root)
	env.Setenv("HOME", filepath.Join(env.WorkDir, ".home")) // where keys are made
	env.Defer(func() {
		for _, p := range programs {
			p.kill()
		}
	})
	return nil
}

func testOf(ts *testscript.TestScript) testing.TB { return ts.Value(test{}).(testing.TB) }

// positive is a command that cannot be negated and needs some arguments.
func positive(least int, command func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least {
			ts.Fatalf("wrong usage: see TestScripts")
		}
		command(ts, args)
	}
}

func exits(ts *testscript.TestScript, args []string) {
	if code := execute(ts, args[1:]); strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// execute runs a program to its end and returns its exit code.
func execute(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	checkOutput(ts, ts.ReadFile("stdout")+ts.ReadFile("stderr"))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if exit == nil {
		return 0
	}
	return exit.ExitCode()
}

var traces = regexp.MustCompile(`goroutine \d+ \[|(?m)^panic: |^fatal error: |DATA RACE`)

func checkOutput(ts *testscript.TestScript, text string) {
	if traces.MatchString(text) {
		ts.Fatalf("a stack trace was shown")
	}
}

func until(ts *testscript.TestScript, args []string) {
	pattern, err := regexp.Compile(`(?m)` + args[0])
	ts.Check(err)
	if !poll(limit, func() bool {
		return execute(ts, args[1:]) == 0 && pattern.MatchString(ts.ReadFile("stdout")+ts.ReadFile("stderr"))
	}) {
		ts.Fatalf("no match for %q within %s", args[0], limit)
	}
}

func spawn(ts *testscript.TestScript, args []string) {
	name := args[0]
	ts.Check(ts.Exec("env")) // the one way to learn of all variables of a script
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	p, err := launch(cmd, ts.MkAbs(name))
	ts.Check(err)
	ts.Value(spawned{}).(map[string]*process)[name] = p
}

func find(ts *testscript.TestScript, name string) *process {
	p := ts.Value(spawned{}).(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("nothing was spawned as %s", name)
	}
	return p
}

func signalSpawned(ts *testscript.TestScript, args []string) {
	s, ok := map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}[args[1]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[1])
	}
	ts.Check(find(ts, args[0]).Process.Signal(s))
}

func ended(ts *testscript.TestScript, args []string) {
	p := find(ts, args[0])
	code, ok := p.wait(limit)
	stdout, stderr := p.stdout(), p.stderr()
	io.WriteString(ts.Stdout(), stdout)
	io.WriteString(ts.Stderr(), stderr)
	if !ok {
		ts.Fatalf("%s has not ended within %s", args[0], limit)
	}
	checkOutput(ts, stdout+stderr)
	if strconv.Itoa(code) != args[1] {
		ts.Fatalf("exit code %d, want %s", code, args[1])
	}
}

func gone(ts *testscript.TestScript, args []string) {
	for _, file := range args {
		for pid := range strings.FieldsSeq(ts.ReadFile(file)) {
			if !poll(limit, func() bool { return !alive(pid) }) {
				ts.Fatalf("process %s of %s still exists", pid, file)
			}
		}
	}
}

func needs(ts *testscript.TestScript, args []string) {
	need(testOf(ts), args[0])
}

func hide(ts *testscript.TestScript, _ []string) {
	dir, err := withoutRedis(ts.MkAbs("."))
	ts.Check(err)
	ts.Setenv("PATH", dir)
}

func startRedis(ts *testscript.TestScript, args []string) {
	url := redistest.Start(testOf(ts), args...).URL()
	ts.Setenv("REDIS", url)
	ts.Setenv("REDIS_SOCKET", strings.TrimPrefix(url, "unix://"))
}

func startSentinels(ts *testscript.TestScript, _ []string) {
	s := ts.Value(watched{}).(*redistest.Sentinels)
	*s = *redistest.StartSentinels(testOf(ts), redistest.NewAuthority(testOf(ts), "server", "client"))
	ts.Setenv("REDIS", s.URL())
}

func failOver(ts *testscript.TestScript, _ []string) {
	ts.Value(watched{}).(*redistest.Sentinels).FailOver()
}

func flush(ts *testscript.TestScript, _ []string) {
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: ts.Getenv("REDIS_SOCKET")})
	defer client.Close()
	ts.Check(client.FlushAll(context.Background()).Err())
}

func keysOfRuns(ts *testscript.TestScript, _ []string) {
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: ts.Getenv("REDIS_SOCKET")})
	defer client.Close()
	keys, err := client.Keys(context.Background(), "godags:{*").Result()
	ts.Check(err)
	for _, key := range keys {
		fmt.Fprintln(ts.Stdout(), key)
	}
}
