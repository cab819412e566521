package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// repairLists brings the lists into line with what Redis has of a run. Scripts keep them so; what was
// left by another version, or by an AOF that was cut off within a script, is mended by the next
// reader.
func (j *Journal) repairLists(ctx context.Context, run RunID) error {
	keys := []string{j.key(run, "run"), j.key(run, "journal"), runsKey, openKey, endedKey}
	return named(run, repairListsScript.Run(ctx, j.rdb, keys, string(run)).Err())
}

// Open says who drives the runs that are not finished, oldest first.
func (j *Journal) Open(ctx context.Context) (open []Ownership, err error) {
	const page = 500
	entries, err := j.rdb.ZRangeWithScores(ctx, openKey, 0, -1).Result()
	entries = slices.DeleteFunc(entries, foreign)
	for err == nil && len(entries) > 0 {
		some := entries[:min(len(entries), page)]
		entries = entries[len(some):]
		ids := make([]RunID, len(some))
		for i, z := range some {
			ids[i] = RunID(z.Member.(string))
		}

		var leads []Ownership
		leads, err = j.Ownerships(ctx, ids...)
		for _, l := range leads {
			if !l.Finished && !l.Gone {
				open = append(open, l)
			} else if err = j.repairLists(ctx, l.Run); err != nil {
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
			if foreign(z) {
				next++
				continue
			}

			id := RunID(z.Member.(string))
			s, err := j.Summary(ctx, id)
			if errors.Is(err, ErrNotFound) {
				if err := j.repairLists(ctx, id); err != nil {
					return nil, err
				}
				continue
			}

			next++
			if err != nil && !Unreadable(err) {
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

// foreign reports whether an entry of a list is no run id: godags has not written it.
func foreign(entry redis.Z) bool {
	_, err := ParseRunID(entry.Member.(string))
	return err != nil
}
