package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godags/godags/internal/fleet"
)

func TestDoctor(t *testing.T) {
	f := newFixture(t)
	home := t.TempDir()
	o := f.execute("doctor", "--home", home)
	o.expect(t, 0, "ok       version  godags ", "home     "+home, "ok       server ", "ok       redis    Redis ", "warning  redis    AOF is off", "-> CONFIG SET appendonly yes",
		"it answers in", "ok       clock", "warning  workers  no live worker", "-> start one with `prog worker")
	f.beat(fleet.Worker{ID: "w-1", Slots: 4, Key: "01234567", Version: "0.0.1"})
	f.execute("doctor").expect(t, 0, "ok       workers  1 live worker, 4 slots", "ok       key      ",
		"warning  workers  they have another key, and refuse stages of runs that are submitted here: w-1 (01234567)", "-> set the same GODAGS_KEY",
		"warning  workers  they have another version than ", ": w-1 (0.0.1)", "-> use the same version everywhere")
	t.Setenv("GODAGS_KEY", "short")
	f.execute("doctor").expect(t, 1, "error    key      GODAGS_KEY: a key of 5 bytes is too short")
}

func TestDoctorForPrograms(t *testing.T) {
	f := newFixture(t)
	o := f.execute("doctor", "--output", "json")
	var d diagnosis
	if err := json.Unmarshal([]byte(o.stdout), &d); err != nil || !d.OK || len(d.Checks) < 8 || o.code != 0 {
		t.Fatalf("%v: exit code %d: %s", err, o.code, o.stdout)
	}
	for _, c := range d.Checks {
		if c.Name == "" || c.Level == "" || c.What == "" {
			t.Errorf("incomplete: %+v", c)
		}
	}
}

func TestDoctorFindsAReplica(t *testing.T) {
	f := newFixture(t, "--replicaof", "127.0.0.1", "1")
	f.execute("doctor").expect(t, 1, "error    redis    it is a replica", "-> use the URL of its primary")
}

func TestDoctorCannotReachRedis(t *testing.T) {
	o := execute(t, "doctor", "--redis", "redis://user:secret@127.0.0.1:1/0")
	o.expect(t, 3, "error    redis    redis://127.0.0.1:1/0: connection refused", "-> start a Redis there")
	if strings.Contains(o.stdout+o.stderr, "secret") {
		t.Error("it shows the password")
	}
	execute(t, "doctor", "--redis", "http://x").expect(t, 2, "error    redis    the Redis URL cannot be used")
	o = execute(t, "doctor", "--redis", "unix:///nowhere", "--output", "json")
	o.expect(t, 3, `"ok":false`, `"fix":"start a Redis there`)
}

func TestDoctorWithoutARedisServer(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	home := filepath.Join(t.TempDir(), "state")
	execute(t, "doctor", "--home", home).expect(t, 0, "ok       home     "+home+" does not exist yet", "warning  server   no redis-server on PATH",
		"-> install redis-server", "in-process Redis", "no live worker: a run starts its own")
}

func TestDoctorLooksAtTheStateFolder(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	file := filepath.Join(t.TempDir(), "file")
	writeText(t, file, "")
	execute(t, "doctor", "--home", file).expect(t, 0, "warning  home     "+file+" is not a folder", "-> choose another")
	execute(t, "doctor", "--home", "/").expect(t, 0, "warning  home     / is readable by other users", "-> make it private")
}
