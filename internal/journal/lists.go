package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// repairLists brings the lists of runs into line with the keys of a run.
func (j *Journal) repairLists(ctx context.Context, run RunID) error {
	// Scripts change a run and the lists in one step. They can differ all the same if the AOF was
	// cut off within a script, or if another version wrote them: then the next reader repairs them.
	keys := []string{j.key(run, "run"), j.key(run, "journal"), runsKey, openKey, endedKey}
	return named(run, repairListsScript.Run(ctx, j.rdb, keys, string(run)).Err())
}

// Open says who owns the runs that are not finished, oldest first.
func (j *Journal) Open(ctx context.Context) (open []Ownership, err error) {
	// Redis answers a pipeline in one reply, and every coordinator that serves asks twice a second.
	// Pages keep the reply small however many runs are open.
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

		var ownerships []Ownership
		ownerships, err = j.Ownerships(ctx, ids...)
		for _, o := range ownerships {
			if !o.Finished && !o.Gone {
				open = append(open, o)
			} else if err = j.repairLists(ctx, o.Run); err != nil {
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
			// An entry that stays in the list moves the next page. A repaired entry is gone from
			// the list, so the entries after it have moved up by one.
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

			// A damaged journal, or one of a newer version, must not hide the other runs. It is
			// listed with the state that says so.
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

// foreign reports whether an entry of a list is no run ID, so that another program wrote it.
func foreign(entry redis.Z) bool {
	_, err := ParseRunID(entry.Member.(string))
	return err != nil
}
