// Package fleet records in Redis which workers and coordinators are alive and what the workers can
// execute. It is the only package that knows these keys, which belong to no run.
//
// Workers and coordinators write a heartbeat every [HeartbeatInterval]. A member whose last
// heartbeat is older than [WorkerTTL] counts as dead. Ages are measured by the clock of Redis.
//
// The keys begin with "godags:":
//
//	workers       hash: the last heartbeat of each worker, and its time
//	coordinators  hash: the last heartbeat of each coordinator that serves, and its time
//	handlers:*    task names that workers have handlers for, by the digest that heartbeats carry
package fleet

import (
	"context"
	"embed"
	"encoding/json"
	"time"

	"github.com/redis/go-redis/v9"
)

// The keys of the fleet.
const (
	prefix          = "godags:"
	workersKey      = prefix + "workers"
	coordinatorsKey = prefix + "coordinators"
	handlersPrefix  = prefix + "handlers:"
)

// HeartbeatInterval is the time between two heartbeats of a worker or a coordinator.
const HeartbeatInterval = 500 * time.Millisecond

// WorkerTTL is the age of the last heartbeat at which a worker or a coordinator counts as dead.
const WorkerTTL = 3 * time.Second

// keptFor is how long a silent member stays in its list, so that people still see it.
const keptFor = time.Minute

// Fleet reads and writes the lists of workers and coordinators. It is safe for concurrent use.
type Fleet struct {
	rdb redis.UniversalClient
}

// New returns the fleet in the given Redis. The caller still owns the client.
func New(rdb redis.UniversalClient) *Fleet { return &Fleet{rdb} }

//go:embed lua/*.lua
var sources embed.FS

// Each script may be sent twice: go-redis does so when a reply is lost.
var (
	heartbeatScript = script("heartbeat")
	listScript      = script("list")
)

func script(name string) *redis.Script {
	source, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // it is embedded
	}
	return redis.NewScript(string(source))
}

// heartbeat writes a member's description of itself into a list, with the time of Redis.
func (f *Fleet) heartbeat(ctx context.Context, list, id string, info any) error {
	// The script adds the time, so that heartbeats of hosts with different clocks can be compared.
	text, err := json.Marshal(info)
	if err != nil {
		return err
	}

	return heartbeatScript.Run(ctx, f.rdb, []string{list}, id, text).Err()
}

// members calls each for every member of a list, and removes members that are too old to show.
func (f *Fleet) members(ctx context.Context, list string, each func(id string, age time.Duration, info []byte)) error {
	got, err := listScript.Run(ctx, f.rdb, []string{list}, keptFor.Milliseconds()).Slice()
	if err != nil {
		return err
	}

	for ; len(got) >= 3; got = got[3:] {
		// An entry that another program wrote has no info. It must not keep the others from being
		// listed.
		if info, ok := got[2].(string); ok {
			each(got[0].(string), time.Duration(got[1].(int64))*time.Millisecond, []byte(info))
		}
	}

	return nil
}
