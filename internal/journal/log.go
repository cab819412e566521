package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/logtext"
)

// The log of an attempt has one or two fields in the hash of the run: the beginning, and after
// [logtext.HeadLimit] bytes the end. The end has its offset in front, in decimal digits and a line
// feed.
func headField(a AttemptID) string {
	return strconv.Itoa(int(a.Stage)) + ":" + strconv.Itoa(int(a.Attempt))
}

func tailField(a AttemptID) string { return headField(a) + ":tail" }

func encodeTail(t logtext.Text) []byte {
	return append(strconv.AppendInt(nil, t.TailFrom, 10), append([]byte{'\n'}, t.Tail...)...)
}

func decodeTail(stored string) (from int64, tail []byte, err error) {
	offset, rest, _ := bytes.Cut([]byte(stored), []byte("\n"))
	if from, err = strconv.ParseInt(string(offset), 10, 64); err != nil {
		return 0, nil, fmt.Errorf("the end of a log has no offset: %w", err)
	}
	return from, rest, nil
}

// liveTail is how much is kept of the end of a log while its attempt is running, in bytes. It is
// more than of a finished one, so that a reader that asks twice a second misses less.
const liveTail = 2 * logtext.TailLimit

// SaveLog adds what an attempt has printed since the last call to its log, while the claim with the
// token holds. It reports whether the claim holds.
func (j *Journal) SaveLog(ctx context.Context, run RunID, token Token, a AttemptID, part logtext.Text) (holds bool, err error) {
	keys := []string{j.key(run, "run"), j.key(run, "fence"), j.key(run, "log")}
	holds, err = saveLogScript.Run(ctx, j.rdb, keys, uint32(a.Stage), uint16(a.Attempt), token[:],
		part.From, part.Head, part.TailFrom, part.Tail, liveTail).Bool()
	return holds, named(run, err)
}

// Log returns what an attempt has printed. It is empty if the attempt has printed nothing.
func (j *Reader) Log(ctx context.Context, run RunID, a AttemptID) (t logtext.Text, err error) {
	fields, err := j.rdb.HMGet(ctx, j.key(run, "log"), headField(a), tailField(a)).Result()
	if err != nil {
		return t, named(run, err)
	}

	head, printed := fields[0].(string)
	if !printed {
		return t, j.exists(ctx, run)
	}
	t.Head = []byte(head)

	if tail, long := fields[1].(string); long {
		t.TailFrom, t.Tail, err = decodeTail(tail)
	}
	return t, named(run, err)
}

// LogPosition is how far the log of an attempt was read.
type LogPosition struct {
	AttemptID
	Offset int64 // bytes
}

// LogsSince returns what attempts have printed after positions. A text begins at the offset of its
// position, even if the bytes there were left out.
func (j *Reader) LogsSince(ctx context.Context, run RunID, positions []LogPosition) ([]logtext.Text, error) {
	if len(positions) == 0 {
		return nil, nil
	}

	args := make([]any, 0, 2*len(positions))
	for _, p := range positions {
		args = append(args, headField(p.AttemptID), p.Offset)
	}

	answers, err := readLogScript.Run(ctx, j.rdb, []string{j.key(run, "log")}, args...).StringSlice()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, named(run, err)
	}
	if len(answers) != 3*len(positions) {
		return nil, named(run, fmt.Errorf("script returned %d answers to %d questions", len(answers), 3*len(positions)))
	}

	texts := make([]logtext.Text, len(positions))
	for i, p := range positions {
		from, err := strconv.ParseInt(answers[3*i+1], 10, 64)
		if err != nil {
			return nil, named(run, err)
		}
		texts[i] = logtext.Text{From: p.Offset, Head: []byte(answers[3*i]), TailFrom: from, Tail: []byte(answers[3*i+2])}
	}

	return texts, nil
}
