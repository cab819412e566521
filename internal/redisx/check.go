package redisx

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Level says how much a Finding matters.
type Level string

const (
	OK      Level = "ok"
	Warning Level = "warning" // runs work, but something may be lost
	Error   Level = "error"   // runs do not work
)

// Finding is the result of one check.
type Finding struct {
	Level Level
	What  string // one line
	Fix   string // what to do; "" when OK
}

// Check reports whether a Redis is set up for runs: version, role, eviction and persistence. It
// only reads INFO. A user without the right to INFO gets a warning. The error is for a Redis that
// does not answer.
func Check(ctx context.Context, client redis.UniversalClient) ([]Finding, error) {
	i, err := readInfo(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("check Redis: %w", err)
	}

	if i == nil {
		return []Finding{{Warning,
			"this user may not run INFO: version, eviction and AOF are not checked",
			"allow it: ACL SETUSER name +info"}}, nil
	}

	// Only miniredis has no version.
	if i["redis_version"] == "" {
		return []Finding{{OK, "in-process Redis: nothing survives the process", ""}}, nil
	}

	return []Finding{i.checkVersion(), i.checkRole(), i.checkEviction(), i.checkAOF()}, nil
}

func (i info) checkVersion() Finding {
	if i.tooOld() {
		return Finding{Error, i.name() + " is too old", "upgrade to 6.2 or newer"}
	}
	return Finding{OK, "its version is 6.2 or newer", ""}
}

func (i info) checkRole() Finding {
	switch {
	case i["redis_mode"] == "cluster":
		return Finding{Error, "it is a node of a Redis Cluster: only some keys live on it", "use a Redis that is not part of a cluster"}
	case i["role"] == "slave":
		return Finding{Error, "it is a replica: nothing can be written to it", "use the URL of its primary, " + i["master_host"] + ":" + i["master_port"]}
	}
	return Finding{OK, "it is a primary", ""}
}

func (i info) checkEviction() Finding {
	// An evicted key is part of a run: the run would have lost its spec, an output or its journal.
	policy := i["maxmemory_policy"]
	if policy != "" && policy != "noeviction" {
		return Finding{Warning, "maxmemory-policy is " + policy + ": under memory pressure Redis drops parts of a run",
			"CONFIG SET maxmemory-policy noeviction, and the same in redis.conf"}
	}
	return Finding{OK, "maxmemory-policy is noeviction", ""}
}

func (i info) checkAOF() Finding {
	if i["aof_enabled"] == "0" {
		return Finding{Warning, "AOF is off: runs do not survive a Redis restart",
			"CONFIG SET appendonly yes, and the same in redis.conf"}
	}
	return Finding{OK, "AOF is on: runs survive a Redis restart", ""}
}
