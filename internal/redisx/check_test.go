package redisx

import (
	"reflect"
	"testing"

	"github.com/godags/godags/internal/redistest"
)

// levels is the level of each finding, and the first one with a fix.
func levels(t *testing.T, url string) (levels []Level, first Finding) {
	t.Helper()
	findings, err := Check(t.Context(), client(t, url))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		levels = append(levels, f.Level)
		if (f.Level == OK) != (f.Fix == "") {
			t.Errorf("%q is %s, with the fix %q", f.What, f.Level, f.Fix)
		}
		if first.Fix == "" {
			first = f
		}
	}
	return levels, first
}

func TestCheck_OfARedisServer(t *testing.T) {
	for name, test := range map[string]struct {
		settings []string
		want     []Level
	}{
		"all is well":      {[]string{"--appendonly", "yes"}, []Level{OK, OK, OK, OK}},
		"no AOF":           {nil, []Level{OK, OK, OK, Warning}},
		"evicting":         {[]string{"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"}, []Level{OK, OK, Warning, OK}},
		"replica":          {[]string{"--appendonly", "yes", "--replicaof", "127.0.0.1", "1"}, []Level{OK, Error, OK, OK}},
		"INFO not allowed": {[]string{"--user", "default", "on", "nopass", "~*", "&*", "+@all", "-info", "-config"}, []Level{Warning}},
	} {
		t.Run(name, func(t *testing.T) {
			got, first := levels(t, socketURL(startRedis(t, test.settings...)))
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("levels %v, want %v; %+v", got, test.want, first)
			}
		})
	}
}

func TestCheck_OfAnOldOrClusteredRedis(t *testing.T) {
	addr := fakeRedis(t, func(command string) string {
		if command == "INFO" {
			return bulk("redis_version:6.0.16\r\nredis_mode:cluster\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n")
		}
		return "-ERR unknown command\r\n"
	})
	got, first := levels(t, "redis://"+addr)
	if want := []Level{Error, Error, OK, OK}; !reflect.DeepEqual(got, want) || first.What != "Redis 6.0.16 is too old" {
		t.Errorf("levels %v, want %v; %+v", got, want, first)
	}
}

func TestCheck_OfAnInProcessRedis(t *testing.T) {
	findings, err := Check(t.Context(), openMemory(t).Client())
	if err != nil || len(findings) != 1 || findings[0].Level != OK {
		t.Errorf("%v, %v; want one finding that is ok", findings, err)
	}
}

func TestCheck_OfAStoppedRedis(t *testing.T) {
	if _, err := Check(t.Context(), client(t, "redis://127.0.0.1:"+redistest.FreePort(t))); err == nil {
		t.Error("no error")
	}
}
