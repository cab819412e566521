package values

import (
	"encoding/binary"
	"fmt"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/seal"
)

// A recorded output ends in a tag that only those with the key can make: a stage is not given what somebody has changed in Redis.

// Sign appends the tag to what is to be recorded as the output of a stage or an instance of one.
func Sign(key seal.Key, run journal.RunID, stage dag.StageID, recorded []byte) []byte {
	return append(recorded, key.Tag(seal.Output, covered(run, stage, recorded)...)...)
}

// Verify returns what was recorded without its tag, or an error if it is not what somebody with the key has signed.
func Verify(key seal.Key, run journal.RunID, stage dag.StageID, signed []byte) ([]byte, error) {
	recorded := Strip(signed)
	if !key.Fits(signed[len(recorded):], seal.Output, covered(run, stage, recorded)...) {
		return nil, fmt.Errorf("run %s: the recorded output was changed in Redis, or signed with another key; `retry %s --stage` makes it anew", run, run)
	}
	return recorded, nil
}

// Strip returns what was recorded without its tag, for those who only show it.
func Strip(signed []byte) []byte { return signed[:max(0, len(signed)-seal.TagSize)] }

func covered(run journal.RunID, stage dag.StageID, recorded []byte) [][]byte {
	return [][]byte{[]byte(run), binary.BigEndian.AppendUint32(nil, uint32(stage)), recorded}
}
