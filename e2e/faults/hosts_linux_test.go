//go:build hosts

// These tests need root: they make network namespaces and mount a file system.

package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func (w *world) sh(format string, args ...any) {
	w.t.Helper()
	text := fmt.Sprintf(format, args...)
	if out, err := exec.Command("sh", "-ec", text).CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", text, err, out)
	}
}

// host is a network namespace with a separate address behind a bridge.
type host struct {
	w             *world
	name, address string
}

// network makes a bridge and hosts on it.
func (w *world) network(n int) (hosts []*host) {
	w.t.Helper()
	bridge := "gb" + w.id[1:6]
	w.sh("ip link add %s type bridge && ip link set %[1]s up", bridge)
	w.t.Cleanup(func() { w.sh("ip link del %s", bridge) })
	for i := range n {
		h := &host{w, fmt.Sprintf("g%s%d", w.id[1:6], i), fmt.Sprintf("10.213.7.%d", 1+i)}
		w.sh(`ip netns add %[1]s
			ip link add %[1]s type veth peer name eth0 netns %[1]s
			ip link set %[1]s master %[2]s up
			ip -n %[1]s addr add %[3]s/24 dev eth0
			ip -n %[1]s link set eth0 up
			ip -n %[1]s link set lo up`, h.name, bridge, h.address)
		w.t.Cleanup(func() { w.sh("ip netns del %s", h.name) })
		hosts = append(hosts, h)
	}
	return hosts
}

// start starts a program on a host.
func (h *host) start(url string, args ...string) *process {
	h.w.t.Helper()
	return h.w.start(url, append([]string{"ip", "netns", "exec", h.name}, args...)...)
}

// run starts a command on a host that runs stages.
func (h *host) run(url, id string, stages []stage) *run {
	h.w.t.Helper()
	h.w.write(id+".json", stages)
	return &run{h.start(url, runCommand(id)...), id, stages}
}

// cut takes the host's cable out, and puts it in again after a time.
func (h *host) cut(lasts time.Duration) {
	h.w.t.Helper()
	h.w.sh("ip link set %s down", h.name)
	time.Sleep(lasts)
	h.w.sh("ip link set %s up", h.name)
}

// 14, with coordinator, Redis and workers on separate hosts: one is cut off for 2 s, and
// nothing is executed again; then for 20 s, and its stage is executed elsewhere.
func TestAHostIsCutOff(t *testing.T) {
	w := newWorld(t)
	hosts := w.network(4)
	url := w.redisOn(hosts[0])
	hosts[2].start(url, "worker", "--name", "two")
	first := hosts[1].run(url, w.id, single)
	w.pid("only.1")
	hosts[2].cut(2 * time.Second)
	time.Sleep(3 * time.Second)
	w.goOn()
	first.succeeds(0, quickly)

	os.Remove(w.path("go"))
	second := hosts[1].run(url, w.id+"-2", held[:1])
	w.pid("victim.1")
	hosts[3].start(url, "worker", "--name", "three")
	at := time.Now()
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		hosts[2].cut(20 * time.Second)
	}()
	w.gone("victim.1")
	w.within("a host was cut off", second.started("victim", 2).Sub(at), 5*time.Second)
	w.goOn()
	second.exits(0)
	<-cut
	second.check(1, quickly)
}

// redisOn starts a Redis on a host. The test itself asks it through a unix socket, which no cable
// carries.
func (w *world) redisOn(h *host) (url string) {
	w.t.Helper()
	url = "redis://" + h.address + ":6379"
	socket := w.path("socket")
	h.start(url, "redis-server", "--bind", h.address, "--protected-mode", "no", "--unixsocket", socket, "--save", "", "--maxmemory-policy", "noeviction")
	w.url = "unix://" + socket
	w.rdb = redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Protocol: 2})
	w.t.Cleanup(func() { w.rdb.Close() })
	w.await("the Redis of a host", func() bool { return w.rdb.Ping(context.Background()).Err() == nil })
	return url
}

// 25: the disk on which values live is full. The stage that stores one fails with the reason, and
// no process reads half a value.
func TestAFullDisk(t *testing.T) {
	w := newWorld(t)
	disk := w.path("disk")
	w.must(os.Mkdir(disk, 0o700))
	w.sh("mount -t tmpfs -o size=256k none %s", disk)
	t.Cleanup(func() { w.sh("umount %s", disk) })
	w.worker()
	stages := []stage{
		{Name: "small", Run: "echo small >$GODAGS_OUTPUT"},
		{Name: "large", After: []string{"small"}, Run: "head -c 1000000 /dev/urandom >$GODAGS_OUTPUT"},
		{Name: "reader", After: []string{"large"}, Run: "cat $GODAGS_INPUTS/large >read"},
		{Name: "other", After: []string{"small"}, Run: "cat $GODAGS_INPUTS/small >read"},
	}
	run := w.run(stages, "--values", "disk:"+disk)
	run.exits(1)
	trial := run.check(0, quickly)
	for _, e := range trial.Events {
		if e.Type == "stage.failed" && (e.Stage != "large" || !strings.Contains(e.Error, "no space left")) {
			t.Errorf("%s fails with %q", e.Stage, e.Error)
		}
	}
	if got := read(w.path("read")); got != "small\n" {
		t.Errorf("what was read is %q", got)
	}
	left, err := exec.Command("find", disk, "-type", "f", "-size", "+64k").Output()
	if w.must(err); len(left) > 0 {
		t.Errorf("half a value is left:\n%s", left)
	}
}
