//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package redisx

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
)

// mendAOF writes the AOF anew if the server that p has started found its end cut off, as a power
// failure leaves it.
//
// Redis then goes on without the last transaction, but leaves its beginning in the file: at the
// next start what was written since would complete it, and bring it back, between the events of a
// history that never had it. (Valkey mended this in 2026, pull request 4342.)
func (p *private) mendAOF(ctx context.Context, client redis.UniversalClient) error {
	log, err := os.ReadFile(p.path("redis.log"))
	if err != nil || !p.started || !bytes.Contains(log, []byte("Truncating the AOF")) {
		return err
	}

	ctx, cancel := context.WithTimeoutCause(ctx, loadTimeout, errSilent)
	defer cancel()

	if err := client.BgRewriteAOF(ctx).Err(); err != nil {
		return err
	}

	for {
		i, err := readInfo(ctx, client)
		if err != nil {
			return err
		}

		if i["aof_rewrite_in_progress"] == "0" && i["aof_rewrite_scheduled"] == "0" {
			if status := i["aof_last_bgrewrite_status"]; status != "ok" {
				return fmt.Errorf("the end of its AOF was cut off, and writing it anew failed (%s)", status)
			}
			return nil
		}

		if err := pause(ctx); err != nil {
			return err
		}
	}
}
