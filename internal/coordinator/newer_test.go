package coordinator

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/version"
)

// What the record means could change everything that follows, so nothing more is decided.
func TestARunWithARecordOfANewerFormatIsLeftAsItIs(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		newer := w.rdb.XAdd(w.Context(), &redis.XAddArgs{Stream: "godags:{r}:journal", Values: []any{"w", "w1", "r", "\x63\x00\x01\x00"}})
		w.must(newer.Err())
		w.pass(tickEvery)
		select {
		case err := <-w.done:
			want := "written by a newer godags (format 2 or later); this one reads format 1: upgrade this program"
			if !errors.Is(err, version.ErrNewer) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), newer.Val()) {
				w.Errorf("%v, want one about entry %s with %q", err, newer.Val(), want)
			}
			w.done <- err
		default:
			w.Error("the driver goes on")
		}
	})
}
