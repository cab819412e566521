package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/version"
)

// Entry is one entry of a run's stream: what one script call recorded.
type Entry struct {
	ID      Position
	Time    time.Time // by the clock of Redis, to the millisecond
	Worker  string    // who reported it; empty for the coordinator
	Records []Record
}

// ErrDamaged says that the journal of a run cannot be decoded, or contradicts itself.
var ErrDamaged = errors.New("the journal is damaged")

// Damaged returns an [ErrDamaged] about an entry of a run's journal.
func Damaged(run RunID, entry Position, why error) error {
	return fmt.Errorf("run %s: %w: entry %s: %w; "+
		"the command events shows what comes before it; the pipeline can be run again under another ID",
		run, ErrDamaged, entry, why)
}

// Unreadable reports whether an error about a journal is permanent: the journal is damaged, or a
// newer godags wrote it.
func Unreadable(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, version.ErrNewer)
}

// Read returns the entries after a position, oldest first and at most a few thousand. Without new
// entries it waits up to the given time, or not at all if that is less than a millisecond.
//
// If the entry at the position is missing it returns [ErrTruncated]: the reader knows entries that
// the journal has lost. Entries before an [Unreadable] one are returned first. The error is
// returned when that entry is the next.
func (j *Reader) Read(ctx context.Context, run RunID, after Position, wait time.Duration) ([]Entry, error) {
	if wait < time.Millisecond {
		wait = -1 // go-redis would round it to 0, which means forever
	}

	// The entry at the position is read in the same trip, from the same server. New entries of a
	// Redis that has lost that entry must not be taken for its successors.
	pipe := j.rdb.Pipeline()
	key := j.key(run, "journal")
	streams := pipe.XRead(ctx, &redis.XReadArgs{
		Streams: []string{key, after.streamID()},
		Count:   2000,
		Block:   wait,
	})
	last := pipe.XRangeN(ctx, key, after.streamID(), after.streamID(), 1)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, named(run, err)
	}

	// A run that was removed, or a Redis that lost all its data, is another matter than a lost end:
	// reading the journal anew does not help.
	if after != Start && len(last.Val()) == 0 {
		if err := j.exists(ctx, run); err != nil {
			return nil, err
		}
		return nil, named(run, ErrTruncated)
	}

	if len(streams.Val()) == 0 {
		return nil, j.exists(ctx, run)
	}

	// The error comes back with the next call, which starts at the unreadable entry.
	list, err := entries(run, streams.Val()[0].Messages)
	if len(list) > 0 {
		return list, nil
	}

	return nil, err
}

// Last returns the position of the newest entry.
func (j *Reader) Last(ctx context.Context, run RunID) (Position, error) {
	newest, err := j.rdb.XRevRangeN(ctx, j.key(run, "journal"), "+", "-", 1).Result()
	if err == nil && len(newest) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return "", named(run, err)
	}
	return Position(newest[0].ID), nil
}

// exists returns [ErrNotFound] if the run does not exist. It is for calls that have found nothing.
func (j *Reader) exists(ctx context.Context, run RunID) error {
	n, err := j.rdb.Exists(ctx, j.key(run, "run")).Result()
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return named(run, err)
}

// entries decodes messages. With an error it returns the entries before the message at fault.
func entries(run RunID, messages []redis.XMessage) ([]Entry, error) {
	list := make([]Entry, 0, len(messages))
	for _, m := range messages {
		e := Entry{ID: Position(m.ID)}
		e.Worker, _ = m.Values["w"].(string)
		data, _ := m.Values["r"].(string)

		// The ID of an entry is its time by the clock of Redis. No other clock is used for records.
		ms, _, _ := strings.Cut(m.ID, "-")
		at, err := strconv.ParseInt(ms, 10, 64)
		if err == nil {
			e.Time = time.UnixMilli(at)

			// A record takes 16 bytes or so: one allocation for most entries.
			e.Records, err = decodeRecords(data, make([]Record, 0, 1+len(data)/16))
		}

		if err == nil && len(e.Records) == 0 {
			err = errors.New("it has no records")
		}
		if err == nil && e.Records[0].Type == RunSubmitted {
			err = checkSubmitted(e.Records[0])
		}

		// A newer format is not damage: the user upgrades, and loses nothing.
		if errors.Is(err, version.ErrNewer) {
			return list, fmt.Errorf("run %s: journal entry %s: %w", run, m.ID, err)
		}
		if err != nil {
			return list, Damaged(run, Position(m.ID), err)
		}

		list = append(list, e)
	}

	return list, nil
}

// checkSubmitted returns [version.ErrNewer] if a run is of a newer format.
func checkSubmitted(r Record) error {
	var s Submitted
	if json.Unmarshal([]byte(r.Text), &s) != nil {
		// Damaged JSON matters only to readers that need its fields: they report it.
		return nil
	}
	return version.CheckFormat(s.Format)
}

// Identity tells runs with the same ID apart, as recorded at submission. A process that acts on it
// verifies the signature first.
type Identity struct {
	Run         RunID
	Incarnation string // random: differs from earlier and later runs with the same ID
	Digest      string // of its spec
	Signature   string // of all this; empty if there is none
}

// Identity returns the identity of a run. If the run is being removed it returns the fields that
// are left, and [ErrNotFound].
func (j *Reader) Identity(ctx context.Context, run RunID) (Identity, error) {
	recorded, err := j.rdb.HMGet(ctx, j.key(run, "run"), "incarnation", "digest", "signature").Result()
	if err != nil {
		return Identity{}, named(run, err)
	}

	fields := make([]string, 3)
	for i, v := range recorded {
		fields[i], _ = v.(string)
	}

	// A run without a digest is being removed. If its remover died, the next one needs the other
	// fields to verify the spec, which tells where the values are.
	id := Identity{run, fields[0], fields[1], fields[2]}
	if id.Digest == "" {
		return id, named(run, ErrNotFound)
	}

	return id, nil
}

// Spec returns the frozen pipeline of a run and its digest as recorded at submission. If they do
// not match the error is [ErrDigest].
func (j *Reader) Spec(ctx context.Context, run RunID) (encoded []byte, digest string, err error) {
	// No more bytes than a frozen pipeline can have, and one: any writer to Redis may have replaced
	// the key by something huge.
	pipe := j.rdb.Pipeline()
	stored := pipe.GetRange(ctx, j.key(run, "spec"), 0, spec.MaxEncoded)
	recorded := pipe.HGet(ctx, j.key(run, "run"), "digest")
	if _, err := pipe.Exec(ctx); errors.Is(err, redis.Nil) {
		return nil, "", named(run, ErrNotFound)
	} else if err != nil {
		return nil, "", named(run, err)
	}

	encoded, err = stored.Bytes()
	digest = recorded.Val()
	switch {
	case err != nil:
	case len(encoded) == 0:
		err = ErrNotFound
	case len(encoded) > spec.MaxEncoded || spec.Digest(encoded) != digest:
		err = fmt.Errorf("%w: the spec was changed in Redis after submission; run the pipeline again under another ID", ErrDigest)
	}

	return encoded, digest, named(run, err)
}

// Summary describes a run in a list of runs.
type Summary struct {
	Run      RunID
	Pipeline string
	Stages   int

	// State is running, stalled (the coordinator is gone), queued (no coordinator has acquired the
	// run yet), cancelling, succeeded, failed or cancelled. It is damaged or newer if nothing else
	// is known of the run.
	State     string
	Submitted time.Time
	Asked     time.Time      // time of this summary, by the clock of Redis
	Finished  time.Time      // zero while the run is active
	Expires   time.Time      // when the run may be removed; zero: it is active, or kept for ever
	Counts    map[string]int // stages by terminal state; nil while the run is active
}

// Summary describes one run. If the journal is [Unreadable] it returns the error and the state that
// says so.
func (j *Reader) Summary(ctx context.Context, run RunID) (Summary, error) {
	// The first and the last entry of the stream hold everything, so that a list of runs does not
	// read whole journals.
	pipe := j.rdb.Pipeline()
	first := pipe.XRangeN(ctx, j.key(run, "journal"), "-", "+", 1)
	last := pipe.XRevRangeN(ctx, j.key(run, "journal"), "+", "-", 1)
	until := pipe.HGet(ctx, j.key(run, "run"), "until")
	state := pipe.HGet(ctx, j.key(run, "run"), "state")
	digest := pipe.HGet(ctx, j.key(run, "run"), "digest")
	expires := pipe.HGet(ctx, j.key(run, "run"), "expires")
	epoch := pipe.HGet(ctx, j.key(run, "run"), "epoch")
	lease := pipe.HGet(ctx, j.key(run, "run"), "lease")
	now := pipe.Time(ctx)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return Summary{}, named(run, err)
	}
	if digest.Val() == "" || len(first.Val()) == 0 || len(last.Val()) == 0 {
		return Summary{}, named(run, ErrNotFound)
	}

	damaged := Summary{Run: run, State: "damaged", Asked: now.Val()}
	newer := Summary{Run: run, State: "newer", Asked: now.Val()}
	ends, err := entries(run, []redis.XMessage{first.Val()[0], last.Val()[0]})
	if errors.Is(err, version.ErrNewer) {
		return newer, err
	}
	if err != nil {
		return damaged, err
	}

	s := Summary{Run: run, State: state.Val(), Submitted: ends[0].Time, Asked: now.Val()}
	var begin Submitted
	if err := json.Unmarshal([]byte(ends[0].Records[0].Text), &begin); err != nil {
		return damaged, Damaged(run, ends[0].ID, err)
	}

	s.Pipeline = begin.Pipeline
	s.Stages = begin.Stages

	// The state in Redis is still running if the coordinator died: only the lease tells that. The
	// last record of a finished run replaces all this below.
	if over, err := until.Int64(); err != nil || left(over, lease.Val(), now.Val()) <= 0 {
		s.State = "stalled"
		if epoch.Val() == "0" {
			s.State = "queued"
		}
	}

	if at, err := expires.Int64(); err == nil {
		s.Expires = time.UnixMilli(at)
	}

	if end := ends[1].Records[len(ends[1].Records)-1]; end.Type == RunFinished {
		var f Finished
		if err := json.Unmarshal([]byte(end.Text), &f); err != nil {
			return damaged, Damaged(run, ends[1].ID, err)
		}

		s.State = f.State
		s.Finished = ends[1].Time
		s.Counts = f.Counts

		// The number at submission has no instances of mapped stages: they come about later.
		s.Stages = 0
		for _, n := range f.Counts {
			s.Stages += n
		}
	}

	return s, nil
}

// Outputs returns the recorded outputs of stages, nil for a stage without one.
func (j *Reader) Outputs(ctx context.Context, run RunID, stages ...dag.StageID) ([][]byte, error) {
	if len(stages) == 0 {
		return nil, nil
	}

	fields := make([]string, len(stages))
	for i, s := range stages {
		fields[i] = strconv.Itoa(int(s))
	}

	// One trip answers for all stages, and whether the run exists: without that, a run that was
	// removed would look like one whose stages have no outputs.
	var values *redis.SliceCmd
	var known *redis.IntCmd
	if _, err := j.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		values = p.HMGet(ctx, j.key(run, "out"), fields...)
		known = p.Exists(ctx, j.key(run, "run"))
		return nil
	}); err != nil {
		return nil, named(run, fmt.Errorf("read outputs: %w", err))
	}

	if known.Val() == 0 {
		return nil, named(run, ErrNotFound)
	}

	outputs := make([][]byte, len(stages))
	for i, v := range values.Val() {
		if text, ok := v.(string); ok {
			outputs[i] = []byte(text)
		}
	}

	return outputs, nil
}
