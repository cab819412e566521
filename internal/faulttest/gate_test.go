package faulttest_test

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// point is one command to Redis in a run: the nth of a kind that an actor sends.
type point struct {
	actor, command string
	n              int
}

func (p point) String() string { return fmt.Sprintf("%s %s %d", p.actor, p.command, p.n) }

// fault is what may happen to a command.
type fault int

const (
	none   fault = iota
	unsent       // it does not reach Redis, and its sender learns so
	lost         // Redis executes it, and the reply does not arrive
	twice        // Redis executes it, the reply is lost, and it is sent again, as go-redis does
	killed       // its sender dies before it is sent
)

var faults = map[fault]string{unsent: "does not reach Redis", lost: "loses its reply", twice: "is sent twice", killed: "is never sent: its sender dies"}

// errFault is what go-redis says when a connection breaks.
var errFault = &net.OpError{Op: "read", Net: "pipe", Err: syscall.ECONNRESET}

// gate lets commands through one at a time, in an order that follows from its seed alone: each when
// no other goroutine in the bubble can continue.
type gate struct {
	random *rand.Rand
	points []point // in the order in which they passed
	target point
	fault  fault // for the target
	fired  bool
	before func() // is called before each command

	mu      sync.Mutex
	waiting []*call
	arrived chan struct{} // holds one element while something waits
	stop    chan struct{}
	done    chan struct{}
}

// call is a command that waits at the gate.
type call struct {
	actor   *actor
	command string
	verdict chan fault
}

// actor is a process, as far as Redis and its supervisor are concerned.
type actor struct {
	name  string
	gate  *gate
	count map[string]int // of commands that passed, by kind
	dead  chan struct{}  // closed when it is killed
}

func newGate(seed uint64, target point, f fault) *gate {
	g := &gate{random: rand.New(rand.NewPCG(seed, 0)), target: target, fault: f, before: func() {},
		arrived: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go g.run()
	return g
}

func (g *gate) actor(name string) *actor {
	return &actor{name: name, gate: g, count: make(map[string]int), dead: make(chan struct{})}
}

func (g *gate) run() {
	defer close(g.done)
	for {
		select {
		case <-g.arrived:
		case <-g.stop:
			return
		}
		for {
			synctest.Wait()
			c := g.next()
			if c == nil {
				break
			}
			c.verdict <- g.judge(c)
		}
	}
}

// next chooses one of the commands that wait.
func (g *gate) next() *call {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		return nil
	}
	slices.SortStableFunc(g.waiting, func(a, b *call) int {
		return cmp.Or(strings.Compare(a.actor.name, b.actor.name), strings.Compare(a.command, b.command))
	})
	i := g.random.IntN(len(g.waiting))
	c := g.waiting[i]
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return c
}

func (g *gate) judge(c *call) fault {
	if c.actor.isDead() {
		return killed
	}
	c.actor.count[c.command]++
	p := point{c.actor.name, c.command, c.actor.count[c.command]}
	g.points = append(g.points, p)
	g.before()
	if p != g.target || g.fired {
		return none
	}
	if g.fired = true; g.fault == killed {
		close(c.actor.dead)
	}
	return g.fault
}

func (a *actor) isDead() bool {
	select {
	case <-a.dead:
		return true
	default:
		return false
	}
}

// pass waits for its turn, and sends the command as often as it should be.
func (a *actor) pass(command string, cmds []redis.Cmder, send func() error) error {
	c := &call{a, command, make(chan fault, 1)}
	a.gate.mu.Lock()
	a.gate.waiting = append(a.gate.waiting, c)
	a.gate.mu.Unlock()
	select {
	case a.gate.arrived <- struct{}{}:
	default:
	}
	verdict := <-c.verdict
	if verdict == twice || verdict == lost {
		send() // its answer does not arrive
	}
	if verdict == none || verdict == twice {
		for _, cmd := range cmds {
			cmd.SetErr(nil)
		}
		return send()
	}
	for _, cmd := range cmds {
		cmd.SetErr(errFault)
	}
	return errFault
}

// DialHook, ProcessHook and ProcessPipelineHook make an actor a hook of its connections to Redis.
func (a *actor) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if a.isDead() {
			return nil, errFault
		}
		return next(ctx, network, addr)
	}
}

func (a *actor) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return a.pass(describe(cmd), []redis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

func (a *actor) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return a.pass("pipeline of "+describe(cmds[0]), cmds, func() error { return next(ctx, cmds) })
	}
}

// scripts are the names of the journal's scripts by their hashes.
var scripts = sync.OnceValue(func() map[string]string {
	names := make(map[string]string)
	files, _ := filepath.Glob("../journal/lua/*.lua")
	for _, file := range files {
		source, _ := os.ReadFile(file)
		sum := sha1.Sum(source)
		names[hex.EncodeToString(sum[:])] = strings.TrimSuffix(filepath.Base(file), ".lua")
	}
	return names
})

// describe names the kind of a command: by its script, or by what it does to which parts of a run
// or queue.
func describe(cmd redis.Cmder) string {
	args, name := cmd.Args(), cmd.Name()
	switch {
	case len(args) < 2 || name == "xread":
		return name
	case name != "eval" && name != "evalsha":
		return name + " " + part(args[1])
	}
	if script, ok := scripts()[fmt.Sprint(args[1])]; ok {
		return script
	}
	keys, _ := args[2].(int)
	for _, key := range args[3 : 3+min(2, keys)] {
		name += " " + part(key)
	}
	return name
}

// part is the word in a key that says what it is for: "pending" of asynq:{default}:pending.
func part(key any) string {
	words := strings.FieldsFunc(braces.ReplaceAllString(fmt.Sprint(key), ""), func(r rune) bool { return r == ':' })
	return words[min(1, len(words)-1)]
}

var braces = regexp.MustCompile(`\{.*\}`)

// connect returns a client of the actor. Its hook must be installed last: see world.worker.
func (a *actor) connect(m *miniredis.Miniredis) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", Protocol: 2, PoolSize: 10,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() }})
}

func TestAllScriptsOfTheJournalHaveNames(t *testing.T) {
	if len(scripts()) < 5 {
		t.Errorf("found %v", scripts())
	}
}
