package journal

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var sources embed.FS

// Every script may be sent twice: go-redis does so when a reply is lost. So each script recognises
// a call that took effect before, answers the same and records nothing more.
//
//	method               script         keys
//	Submit               submit         run spec journal          runs open
//	Acquire, Renew       acquire        run
//	Release              release        run
//	Step, Claim, Report  step           run fence journal out log
//	Check                check          run fence
//	SaveLog              savelog        run fence log
//	LogsSince            readlog        log
//	Decide               decide         run fence journal
//	RepairFence          repair         run fence journal out
//	Finish, TimeOut,
//	RequestCancel        end            run journal               open ended
//	Reopen, first        unlock         run fence out
//	Reopen, last         reopen         run journal               runs open ended
//	Open, Runs           repair_lists   run journal               runs open ended
//	MarkDeleted          mark_deleted   run spec fence journal
//	Erase                erase          all of the run            runs open ended
//	Denied               probe          run spec journal fence    runs open ended
var (
	submitScript      = script("submit")
	acquireScript     = script("acquire")
	unlockScript      = script("unlock")
	reopenScript      = script("reopen")
	releaseScript     = script("release")
	stepScript        = script("step")
	decideScript      = script("decide")
	repairScript      = script("repair")
	markDeletedScript = script("mark_deleted")
	eraseScript       = script("erase")
	repairListsScript = script("repair_lists")
	endScript         = script("end")
	checkScript       = script("check")
	saveLogScript     = script("savelog")
	readLogScript     = script("readlog")
	probeScript       = script("probe")
)

func script(name string) *redis.Script {
	source, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // it is embedded
	}
	return redis.NewScript(string(source))
}

var (
	// ErrNotFound says that Redis does not have the run: the run never existed, was removed, or
	// Redis lost its data.
	ErrNotFound = errors.New("the run is not in Redis")
	// ErrFenced says that another coordinator owns the run.
	ErrFenced = errors.New("another coordinator owns the run")
	// ErrTruncated says that the journal of the run has lost its end: Redis restarted or failed
	// over without the last entries that it had confirmed.
	ErrTruncated = errors.New("the journal has lost its end")
	// ErrDigest says that the run was submitted with another spec.
	ErrDigest = errors.New("spec digest mismatch")
)

// sentinels are the errors by the first word of a script's error.
var sentinels = map[string]error{
	"GONE ":   ErrNotFound,
	"FENCED ": ErrFenced,
	"DIGEST ": ErrDigest,
	"CUT ":    ErrTruncated,
}

// named adds the run to an error, and replaces the error of a script by its sentinel.
func named(run RunID, err error) error {
	if err == nil {
		return nil
	}

	// A script can return nothing but text as an error. Its first word is the code, as in the
	// errors of Redis itself.
	for word, sentinel := range sentinels {
		if strings.HasPrefix(err.Error(), word) {
			err = sentinel
		}
	}

	return fmt.Errorf("run %s: %w", run, err)
}

// flags runs a script that returns a number for each of n items.
func (j *Reader) flags(ctx context.Context, s *redis.Script, run RunID, keys []string, n int, args []any) ([]int64, error) {
	got, err := s.Run(ctx, j.rdb, keys, args...).Int64Slice()

	// Callers index the answers by item, so a wrong number must not get further than here.
	if err == nil && len(got) != n {
		err = fmt.Errorf("script returned %d answers to %d questions", len(got), n)
	}
	return got, named(run, err)
}
