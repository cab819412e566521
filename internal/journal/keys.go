// Package journal is the state of runs in Redis. It is the only package that knows a run's keys and
// scripts.
//
// A run is a stream of entries: who claimed which attempt of which stage, how it ended, what the
// coordinator decided. Everything else (progress, status, resume) is read from it. A claim decides
// who executes an attempt and a fence refuses what comes from a worker that has been replaced, so
// that every outcome is recorded exactly once however often a message is delivered.
//
// Keys, all under one prefix; {R} is the run's id and keeps its keys in one hash slot:
//
//	runs          sorted set: run ids by time of submission, in milliseconds
//	open          sorted set: those that are not finished
//	ended         sorted set: finished runs that expire, by time of expiry
//	{R}:run       hash: pipeline, stages, digest and signature, state; owner, epoch, lease
//	{R}:spec      the frozen pipeline
//	{R}:journal   the stream
//	{R}:fence     eight bytes a stage: newest attempt, its state, the token of its claim
//	{R}:out       hash: the stages' outputs, small ones whole, others as a reference
//	{R}:log       hash: captured output by stage and attempt
package journal

import (
	"fmt"
	"path"
	"strings"

	"github.com/redis/go-redis/v9"
)

// RunID names a run. [ParseRunID] makes one of text from outside.
type RunID string

// MaxRunID is the length of the longest run id.
const MaxRunID = 100

// ParseRunID checks the text of a run id: 1 to [MaxRunID] letters, digits, '.', '_' and '-', the
// first a letter or digit, without "..".
func ParseRunID(text string) (RunID, error) {
	bad := len(text) == 0 || len(text) > MaxRunID
	for i := 0; i < len(text) && !bad; i++ {
		c := text[i]
		word := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		bad = !word && (i == 0 || c != '.' && c != '_' && c != '-' || c == '.' && text[i-1] == '.')
	}

	if bad {
		shown := text
		if len(shown) > 60 {
			shown = shown[:60] + "..."
		}
		return "", fmt.Errorf("illegal run ID %q: use up to %d letters, digits, '.', '_' and '-', beginning with a letter or digit, without \"..\"", shown, MaxRunID)
	}

	return RunID(text), nil
}

// Latest is the word with which commands name the newest run.
const Latest = "latest"

// ChooseRunID checks the text of an id for a new run: [ParseRunID], and that commands can name the
// run later. They could not if the id were [Latest], or looked like a pipeline file.
func ChooseRunID(text string) (RunID, error) {
	id, err := ParseRunID(text)
	if err != nil {
		return "", err
	}
	if text == Latest {
		return "", fmt.Errorf("illegal run ID %q: this word names the newest run", text)
	}

	switch extension := strings.ToLower(path.Ext(text)); extension {
	case ".yaml", ".yml", ".json":
		return "", fmt.Errorf("illegal run ID %q: commands take what ends in %s for a pipeline file", text, extension)
	}

	return id, nil
}

// The keys that are not a run's.
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

// At returns the journal for a reader that knows a run up to an entry. What is decided then
// follows from that entry: if the journal has lost it, decisions and the end of the run are refused
// with [ErrTruncated].
func (j *Journal) At(p Position) *Journal { return &Journal{j.Reader, j.Remover, p} }

// New returns the journal that lives in the given Redis. The client stays the caller's.
func New(rdb redis.UniversalClient) *Journal {
	reader := Reader{rdb}
	return &Journal{Reader: reader, Remover: Remover{reader}}
}

func (j *Reader) key(run RunID, what string) string {
	return prefix + "{" + string(run) + "}:" + what
}
