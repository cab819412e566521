//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package redisx

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
)

// repairAOF rewrites the AOF if the server that p has started found its end cut off, as after a
// power failure.
//
// Redis then starts without the last transaction, but leaves the first part of it in the file. At
// the next start, later writes would complete that transaction and restore it, in the middle of a
// history without it. (Valkey repairs this since 2026, pull request 4342.)
func (p *private) repairAOF(ctx context.Context, client redis.UniversalClient) error {
	// INFO does not tell that the AOF was truncated: only the log does. Each server has a new log.
	log, err := os.ReadFile(p.path("redis.log"))
	if err != nil || !p.started || !bytes.Contains(log, []byte("Truncating the AOF")) {
		return err
	}

	ctx, cancel := context.WithTimeoutCause(ctx, loadTimeout, errSilent)
	defer cancel()

	if err := client.BgRewriteAOF(ctx).Err(); err != nil {
		return err
	}

	// Redis rewrites in the background. Waiting for it keeps writes of runs out of the old file,
	// which may be the one that the next start reads.
	for {
		i, err := readInfo(ctx, client)
		if err != nil {
			return err
		}

		if i["aof_rewrite_in_progress"] == "0" && i["aof_rewrite_scheduled"] == "0" {
			if status := i["aof_last_bgrewrite_status"]; status != "ok" {
				return fmt.Errorf("the end of its AOF was cut off, and the rewrite failed (%s)", status)
			}
			return nil
		}

		if err := pause(ctx); err != nil {
			return err
		}
	}
}
