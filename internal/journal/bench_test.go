package journal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
)

// BenchmarkClaimAndReport measures what a bundle costs a worker, and what a stage costs Redis.
func BenchmarkClaimAndReport(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("bundle of %d", size), func(b *testing.B) {
			rdb := redistest.Start(b).Client()
			j := journal.New(rdb)
			if _, err := j.Submit(b.Context(), submission()); err != nil {
				b.Fatal(err)
			}
			attempts, outcomes := make([]journal.AttemptID, size), make([]journal.Outcome, size)
			next := dag.StageID(0)
			before := usedMemory(b, rdb)
			b.ReportAllocs()
			for b.Loop() {
				for i := range attempts {
					attempts[i], outcomes[i] = at(next, 1), ended(journal.StageSucceeded, next, 1)
					outcomes[i].Record.Duration = time.Millisecond
					next++
				}
				execute(b, j, attempts, outcomes)
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "stages/s")
			b.ReportMetric(float64(usedMemory(b, rdb)-before)/float64(next), "redis-B/stage")
		})
	}
}

func execute(b *testing.B, j *journal.Journal, attempts []journal.AttemptID, outcomes []journal.Outcome) {
	token := journal.NewToken()
	if _, err := j.Claim(b.Context(), journal.Claim{Run: run, Digest: digest, Worker: "w1", Token: token}, attempts); err != nil {
		b.Fatal(err)
	}
	if accepted, err := j.Report(b.Context(), journal.Claim{Run: run, Worker: "w1", Token: token}, outcomes); err != nil || !accepted[0] {
		b.Fatal(accepted, err)
	}
}

func usedMemory(b *testing.B, rdb *redis.Client) int64 {
	b.Helper()
	memory := rdb.InfoMap(b.Context(), "memory").Item("Memory", "used_memory")
	var n int64
	if _, err := fmt.Sscan(memory, &n); err != nil {
		b.Fatal(err)
	}
	return n
}
