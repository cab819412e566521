package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/sign"
)

// documentedUsers makes the users of docs/security.md, by the commands that are written there.
func documentedUsers(t *testing.T, admin *redis.Client) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```sh\nredis-cli ")
	block, _, found := strings.Cut(block, "\n```")
	if !found {
		t.Fatal("there is no block of redis-cli commands")
	}
	for command := range strings.SplitSeq(strings.ReplaceAll(block, "\\\n", ""), "\nredis-cli ") {
		var words []any
		for i, part := range strings.Split(command, "'") { // every other one is quoted
			if i%2 == 1 {
				words = append(words, part)
				continue
			}
			for _, word := range strings.Fields(part) {
				words = append(words, word)
			}
		}
		if err := admin.Do(t.Context(), words...).Err(); err != nil {
			t.Fatalf("%v: %v", words, err)
		}
	}
}

// denied returns what users were not allowed to do, by the log that Redis keeps of it.
func denied(t *testing.T, admin *redis.Client) (list []string) {
	t.Helper()
	entries, err := admin.ACLLog(t.Context(), 100).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Username+": "+e.Reason+" "+e.Object+" ("+e.Context+")")
	}
	return list
}

const everything = `
name: everything
stages:
  - {name: first, run: "echo said; printf small >$GODAGS_OUTPUT"}
  - {name: large, after: first, run: "head -c 9000000 /dev/zero >$GODAGS_OUTPUT"}
  - {name: read, after: [first, large], run: "cat $GODAGS_INPUTS/* | wc -c >$GODAGS_OUTPUT"}
  - {name: long, after: first, run: "echo one; sleep 1; echo two"}
  - {name: elsewhere, after: read, queue: gpu, run: "true"}
  - {name: again, after: first, retries: 2, backoff: 10ms, run: 'test "$GODAGS_ATTEMPT" = 2'}
  - {name: list, run: "echo '[1, 2, 3]' >$GODAGS_OUTPUT"}
  - {name: each, for_each: list, run: "echo $GODAGS_ITEM >$GODAGS_OUTPUT"}
  - {name: perhaps, after: each, when: 'len(outputs.each) == 0', run: "true"}
`

func TestTheDocumentedUsersCanDoTheirWork(t *testing.T) {
	server := redistest.Start(t)
	admin := server.Client()
	documentedUsers(t, admin)
	w := newWorld(t)
	w.write("everything.yaml", everything)
	w.set("REDIS_URL", userOf(server, "worker"))
	one := w.start("worker", "--queue", "default,gpu", "--concurrency", "2")
	w.set("REDIS_URL", userOf(server, "coordinator"))
	defer func() {
		if list := denied(t, admin); len(list) > 0 {
			t.Errorf("denied:\n%s", strings.Join(list, "\n"))
		}
	}()
	for _, pipeline := range []string{"everything.yaml", "everything.yaml", "wine"} {
		w.ended(w.start("coordinator", "run", pipeline), 0)
	}
	w.coordinator("runs")
	w.coordinator("status", "latest")
	w.coordinator("doctor")
	forge(t, admin)
	w.says(one, "task refused, nothing of it is executed")
	w.signal(one, os.Interrupt)
	w.ended(one, 0)
}

func TestTheDocumentedWorkerCanDoLittleElse(t *testing.T) {
	server := redistest.Start(t)
	documentedUsers(t, server.Client())
	workersCannot(t, userOf(server, "worker"))
	w := newWorld(t)
	for user, want := range map[string]string{"worker": "this user may not UNLINK godags:{doctor?}:run", "coordinator": "this user has the permissions of a coordinator"} {
		w.set("REDIS_URL", userOf(server, user))
		if text := w.coordinator("doctor"); !strings.Contains(text, want) {
			t.Errorf("the doctor says of a %s\n%s", user, text)
		}
	}
	if keys := server.Client().Keys(t.Context(), "*doctor*").Val(); len(keys) > 0 {
		t.Errorf("the doctor leaves %q", keys)
	}
}

// userOf is the URL of the server for a documented user.
func userOf(server *redistest.Server, user string) string {
	return strings.Replace(server.URL(), "unix://", "unix://godags-"+user+":"+strings.ToUpper(user)+"-PASSWORD@", 1)
}

// forge hands a task to the worker that is not signed.
func forge(t *testing.T, rdb *redis.Client) {
	t.Helper()
	key, err := sign.Parse(os.Getenv(sign.Variable))
	if err != nil {
		t.Fatal(err)
	}
	_, err = asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask("everything/first", []byte(`{"run":"r","items":[]}`)), asynq.Queue("gpu@key:"+key.Fingerprint()))
	if err != nil {
		t.Fatal(err)
	}
}

// workersCannot tries what only coordinators may do, and what no process may.
func workersCannot(t *testing.T, url string) {
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	worker := redis.NewClient(o)
	defer worker.Close()
	submit := `redis.call('SET', KEYS[1], 'spec'); redis.call('HSET', KEYS[2], 'digest', 'd')`
	for name, words := range map[string][]any{
		"write a spec":           {"SET", "godags:{r}:spec", "x"},
		"submit a run":           {"EVAL", submit, 2, "godags:{r}:spec", "godags:{r}:run"},
		"change a run":           {"HSET", "godags:{r}:run", "owner", "x"},
		"list a run":             {"ZADD", "godags:runs", 1, "r"},
		"delete a run":           {"DEL", "godags:{r}:run"},
		"rewrite a journal":      {"XTRIM", "godags:{r}:journal", "MAXLEN", 0},
		"delete a journal":       {"DEL", "godags:{r}:journal"},
		"read a key of others":   {"GET", "app:session"},
		"write one by a script":  {"EVAL", `redis.call('SET', 'app:session', 'x')`, 0},
		"list all keys":          {"KEYS", "*"},
		"flush":                  {"FLUSHALL"},
		"configure":              {"CONFIG", "GET", "*"},
		"read the ACL":           {"ACL", "LIST"},
		"stop the server":        {"SHUTDOWN", "NOSAVE"},
		"see what others do":     {"MONITOR"},
		"kill other connections": {"CLIENT", "KILL", "TYPE", "normal"},
	} {
		if err := worker.Do(context.Background(), words...).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") && !strings.Contains(err.Error(), "The user executing the script can't") {
			t.Errorf("a worker can %s: %v", name, err)
		}
	}
}
