package values

import (
	"encoding/binary"
	"fmt"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/sign"
)

// A recorded output ends in the attempt that made it, two bytes, and in a tag that only those with
// the key can make: a stage is not given what was changed in Redis, or comes from elsewhere.
const trailer = 2 + sign.TagSize

// Origin is where values come from. Of another run of the same ID the incarnation differs.
type Origin struct {
	Run         journal.RunID
	Incarnation string
	Digest      string // of the spec
}

// Producer is the stage or instance that has recorded an output.
type Producer struct {
	Stage dag.StageID
	Of    dag.StageID // the template of an instance; of any other stage, the stage itself
	Index int         // of an instance
}

// Sign appends attempt and tag to what is to be recorded as the output of a stage.
func Sign(key sign.Key, o Origin, p Producer, attempt dag.Attempt, recorded []byte) []byte {
	tag := key.Tag(sign.Output, o.covered(p, attempt, recorded)...)
	return append(binary.BigEndian.AppendUint16(recorded, uint16(attempt)), tag...)
}

// Verify returns what was recorded without its trailer, and the attempt that has recorded it. It
// returns an error unless somebody with the key has signed exactly this for this producer.
func Verify(key sign.Key, o Origin, p Producer, signed []byte) ([]byte, dag.Attempt, error) {
	recorded := Strip(signed)
	if len(signed) >= trailer {
		attempt := dag.Attempt(binary.BigEndian.Uint16(signed[len(recorded):]))
		if key.Fits(signed[len(recorded)+2:], sign.Output, o.covered(p, attempt, recorded)...) {
			return recorded, attempt, nil
		}
	}
	return nil, 0, Forged(o.Run)
}

// Forged returns the error about a recorded output that is not what a worker has recorded.
func Forged(run journal.RunID) error {
	return fmt.Errorf("run %s: the recorded output was changed in Redis, or signed with another key; the command retry, with --stage, makes it anew", run)
}

// Strip returns what was recorded without its trailer, for those who only show it.
func Strip(signed []byte) []byte { return signed[:max(0, len(signed)-trailer)] }

func (o Origin) covered(p Producer, attempt dag.Attempt, recorded []byte) [][]byte {
	place := make([]byte, 0, 20)
	place = binary.BigEndian.AppendUint32(place, uint32(p.Stage))
	place = binary.BigEndian.AppendUint32(place, uint32(p.Of))
	place = binary.BigEndian.AppendUint64(place, uint64(p.Index))
	place = binary.BigEndian.AppendUint16(place, uint16(attempt))
	return [][]byte{[]byte(o.Run), []byte(o.Incarnation), []byte(o.Digest), place, recorded}
}

// SignNamed appends a tag to a value that a stage stores by a name.
func SignNamed(key sign.Key, o Origin, name string, value []byte) []byte {
	tag := key.Tag(sign.Value, []byte(o.Run), []byte(o.Incarnation), []byte(o.Digest), []byte(name), value)
	return append(value[:len(value):len(value)], tag...)
}

// VerifyNamed returns a value that was stored by a name without its tag, or an error unless a
// worker with the key has stored exactly this under this name in this run.
func VerifyNamed(key sign.Key, o Origin, name string, signed []byte) ([]byte, error) {
	value := signed[:max(0, len(signed)-sign.TagSize)]
	if !key.Fits(signed[len(value):], sign.Value, []byte(o.Run), []byte(o.Incarnation), []byte(o.Digest), []byte(name), value) {
		return nil, fmt.Errorf("run %s: value %q was changed since a stage stored it, or signed with another key", o.Run, name)
	}
	return value, nil
}
