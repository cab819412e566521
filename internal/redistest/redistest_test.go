package redistest_test

import (
	"net"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/godags/godags/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBoth_StartEmptyAndRunScripts(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		if n, err := rdb.DBSize(t.Context()).Result(); n != 0 || err != nil {
			t.Errorf("%d keys, %v", n, err)
		}
		got, err := redis.NewScript(`return redis.call("INCR", KEYS[1])`).Run(t.Context(), rdb, []string{"k"}).Int()
		if got != 1 || err != nil {
			t.Errorf("the script returned %d, %v", got, err)
		}
	})
}

func TestServer_KeepsDataWithAOF(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	o, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(o)
	defer rdb.Close()
	if err := rdb.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if conn, err := net.Dial(o.Network, o.Addr); err == nil {
		t.Error("it takes connections although it was killed")
		conn.Close()
	}
	s.Restart()
	if v, err := rdb.Get(t.Context(), "k").Result(); v != "v" || err != nil {
		t.Errorf("after the restart: %q, %v", v, err)
	}
}

func TestServer_LosesDataWithoutAOF(t *testing.T) {
	s := redistest.Start(t)
	rdb := s.Client()
	if err := rdb.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	if n, err := rdb.DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
}
