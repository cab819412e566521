package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// index enters a run into the lists of runs.
func (j *Journal) index(ctx context.Context, run RunID) error {
	entry := redis.Z{Score: float64(time.Now().UnixMilli()), Member: string(run)}
	pipe := j.rdb.Pipeline()
	pipe.ZAddNX(ctx, runsKey, entry)
	pipe.ZAddNX(ctx, openKey, entry)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("add to index: %w", err)
	}
	return nil
}

// settle takes a finished run off the list of those that are not, and notes how long it is kept. If it is reopened meanwhile it stays.
func (j *Journal) settle(ctx context.Context, run RunID) error {
	expires, err := j.rdb.HGet(ctx, j.key(run, "run"), "expires").Float64()
	if err == nil {
		err = j.rdb.ZAdd(ctx, endedKey, redis.Z{Score: expires, Member: string(run)}).Err()
	}
	if err == nil || errors.Is(err, redis.Nil) {
		err = j.unlist(ctx, run, openKey)
	}
	if err != nil {
		return named(run, err)
	}
	if leads, err := j.Leads(ctx, run); err != nil || leads[0].Finished || leads[0].Gone {
		return named(run, err)
	}
	return named(run, j.index(ctx, run))
}

// Open says who drives the runs that are not finished, oldest first.
func (j *Journal) Open(ctx context.Context) (open []Lead, err error) {
	const page = 500
	entries, err := j.rdb.ZRangeWithScores(ctx, openKey, 0, -1).Result()
	entries = slices.DeleteFunc(entries, alien)
	for err == nil && len(entries) > 0 {
		some := entries[:min(len(entries), page)]
		entries = entries[len(some):]
		ids := make([]RunID, len(some))
		for i, z := range some {
			ids[i] = RunID(z.Member.(string))
		}
		var leads []Lead
		leads, err = j.Leads(ctx, ids...)
		for i, l := range leads {
			switch {
			case l.Finished:
				err = j.settle(ctx, l.Run)
			case l.Gone:
				_, err = j.forget(ctx, l.Run, some[i].Score)
			default:
				open = append(open, l)
			}
			if err != nil {
				break
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list open runs: %w", err)
	}
	return open, nil
}

// Runs lists the newest runs first, at most limit of those that match; nil matches all.
func (j *Journal) Runs(ctx context.Context, limit int, match func(Summary) bool) (list []Summary, err error) {
	const page = 100
	for next := int64(0); limit > 0; {
		entries, err := j.rdb.ZRevRangeWithScores(ctx, runsKey, next, next+page-1).Result()
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		if len(entries) == 0 {
			break
		}
		for _, z := range entries {
			if alien(z) {
				next++
				continue
			}
			id := RunID(z.Member.(string))
			s, err := j.Summary(ctx, id)
			if errors.Is(err, ErrGone) {
				removed, err := j.forget(ctx, id, z.Score)
				if err != nil {
					return nil, err
				}
				if !removed {
					next++
				}
				continue
			}
			next++
			if err != nil && !errors.Is(err, ErrDamaged) {
				return nil, err
			}
			if match == nil || match(s) {
				list = append(list, s)
			}
			if len(list) == limit {
				return list, nil
			}
		}
	}
	return list, nil
}

// alien reports whether an entry of a list is no run id: godags has not written it.
func alien(entry redis.Z) bool {
	_, err := ParseRunID(entry.Member.(string))
	return err != nil
}

// settlingIn is how long a run may be in the lists before it is there itself.
const settlingIn = time.Minute

// forget takes a run off the lists that Redis does not have, unless it is just being submitted.
func (j *Journal) forget(ctx context.Context, run RunID, entered float64) (removed bool, err error) {
	if time.Since(time.UnixMilli(int64(entered))).Abs() < settlingIn {
		return false, nil
	}
	lists := []string{runsKey, openKey, endedKey}
	left, err := j.rdb.Exists(ctx, j.key(run, "run")).Result()
	if err == nil && left > 0 { // whoever was removing it may have died: it is due
		lists = lists[:2]
		err = j.rdb.ZAdd(ctx, endedKey, redis.Z{Score: 0, Member: string(run)}).Err()
	}
	if err != nil {
		return false, named(run, err)
	}
	return true, j.unlist(ctx, run, lists...)
}

// unlist takes a run off lists.
func (j *Journal) unlist(ctx context.Context, run RunID, lists ...string) error {
	pipe := j.rdb.Pipeline()
	for _, list := range lists {
		pipe.ZRem(ctx, list, string(run))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return named(run, fmt.Errorf("take off the lists: %w", err))
	}
	return nil
}
