// Package journal is the state of runs in Redis. It is the only package that knows a run's keys and
// scripts.
//
// A run is a stream of entries: who claimed which attempt of which stage, how the attempt ended,
// what the coordinator decided. Everything else (progress, status, resume) is read from the stream.
//
// A claim decides which worker executes an attempt. The fence refuses writes of a worker that has
// been replaced. So every outcome is recorded exactly once, however often a task is delivered.
//
// All keys have one prefix. {R} is the run ID; as a hash tag it keeps the keys of a run in one
// slot.
//
//	runs          sorted set: run IDs by time of submission, in milliseconds
//	open          sorted set: those that are not finished
//	ended         sorted set: finished runs that expire, by time of expiry
//	{R}:run       hash: pipeline, stages, digest and signature, state; owner, epoch, lease
//	{R}:spec      the frozen pipeline
//	{R}:journal   the stream
//	{R}:fence     eight bytes a stage: newest attempt, its state, the token of its claim
//	{R}:out       hash: outputs of stages, small ones whole, others as a reference
//	{R}:log       hash: captured output by stage and attempt, the end of a long one apart
package journal

import (
	"fmt"
	"path"
	"strings"

	"github.com/redis/go-redis/v9"
)

// RunID names a run. [ParseRunID] checks text from outside.
type RunID string

// MaxRunID is the length of the longest run ID.
const MaxRunID = 100

// ParseRunID checks the text of a run ID: 1 to [MaxRunID] letters, digits, '.', '_' and '-'. The
// first character is a letter or digit, and ".." does not occur.
func ParseRunID(text string) (RunID, error) {
	// The text may become part of a path or of a command line, where ".." and a '-' in front mean
	// something else.
	bad := len(text) == 0 || len(text) > MaxRunID
	for i := 0; i < len(text) && !bad; i++ {
		c := text[i]
		word := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		bad = !word && (i == 0 || c != '.' && c != '_' && c != '-' || c == '.' && text[i-1] == '.')
	}

	if bad {
		shown := text

		// The text may be a whole file that was pasted by mistake.
		if len(shown) > 60 {
			shown = shown[:60] + "..."
		}
		return "", fmt.Errorf("illegal run ID %q: use up to %d letters, digits, '.', '_' and '-', "+
			"beginning with a letter or digit, without \"..\"", shown, MaxRunID)
	}

	return RunID(text), nil
}

// Latest is the word with which commands name the newest run.
const Latest = "latest"

// ChooseRunID checks the text of an ID for a new run. Besides [ParseRunID], it refuses IDs that
// commands would take for something else: [Latest], and names of pipeline files.
func ChooseRunID(text string) (RunID, error) {
	id, err := ParseRunID(text)
	if err != nil {
		return "", err
	}
	if text == Latest {
		return "", fmt.Errorf("illegal run ID %q: this word names the newest run", text)
	}

	// Commands such as graph take a run or a file. They decide by the extension, so that a run ID
	// means the same whether or not such a file exists.
	switch extension := strings.ToLower(path.Ext(text)); extension {
	case ".yaml", ".yml", ".json":
		return "", fmt.Errorf("illegal run ID %q: commands take what ends in %s for a pipeline file", text, extension)
	}

	return id, nil
}

// The keys that belong to no single run.
const (
	prefix   = "godags:" // begins every key
	runsKey  = prefix + "runs"
	openKey  = prefix + "open"
	endedKey = prefix + "ended"
)

// Journal reads and writes runs. It is safe for concurrent use.
type Journal struct {
	Reader
	Remover
	known Position // see [Journal.At]
}

// Reader reads runs and changes nothing.
type Reader struct{ rdb redis.UniversalClient }

// Remover removes finished runs whose time is over, and runs that a user deletes.
type Remover struct{ Reader }

// At returns the journal for a coordinator that has read a run up to a position. Its decisions
// follow from the entry there. If the journal has lost that entry, [Journal.Decide] and
// [Journal.Finish] return [ErrTruncated].
func (j *Journal) At(p Position) *Journal { return &Journal{j.Reader, j.Remover, p} }

// New returns the journal in the given Redis. The caller still owns the client.
func New(rdb redis.UniversalClient) *Journal {
	reader := Reader{rdb}
	return &Journal{Reader: reader, Remover: Remover{reader}}
}

func (j *Reader) key(run RunID, what string) string {
	return prefix + "{" + string(run) + "}:" + what
}
