package values

import (
	"encoding/binary"
	"fmt"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/sign"
)

// trailer is the size of the end of a recorded output: the attempt that made it, two bytes, and a
// tag that cannot be made without the key. A stage never gets an output that was changed in Redis,
// or that was copied from another stage.
const trailer = 2 + sign.TagSize

// Origin identifies the run of a value. Two runs with the same ID have different incarnations.
type Origin struct {
	Run         journal.RunID
	Incarnation string
	Digest      string // of the spec
}

// Producer is the stage or instance that recorded an output.
type Producer struct {
	Stage dag.StageID
	Of    dag.StageID // the mapped stage of an instance, otherwise the stage itself
	Index int         // of an instance
}

// Sign appends attempt and tag to the recorded output of a stage.
func Sign(key sign.Key, o Origin, p Producer, attempt dag.Attempt, recorded []byte) []byte {
	tag := key.Tag(sign.Output, o.covered(p, attempt, recorded)...)
	return append(binary.BigEndian.AppendUint16(recorded, uint16(attempt)), tag...)
}

// Verify returns a recorded output without its trailer, and the attempt that recorded it. It
// returns an error unless exactly this output was signed with the key for this producer.
func Verify(key sign.Key, o Origin, p Producer, signed []byte) ([]byte, dag.Attempt, error) {
	// The attempt is covered by the tag, so it can be trusted once the tag fits.
	recorded := Strip(signed)
	if len(signed) >= trailer {
		attempt := dag.Attempt(binary.BigEndian.Uint16(signed[len(recorded):]))
		if key.Fits(signed[len(recorded)+2:], sign.Output, o.covered(p, attempt, recorded)...) {
			return recorded, attempt, nil
		}
	}
	return nil, 0, Forged(o.Run)
}

// Forged returns the error for a recorded output whose tag does not fit.
func Forged(run journal.RunID) error {
	return fmt.Errorf("run %s: the recorded output was changed in Redis, or signed with another key; "+
		"the command retry, with --stage, makes it anew", run)
}

// Strip returns a recorded output without its trailer, without verifying it.
func Strip(signed []byte) []byte { return signed[:max(0, len(signed)-trailer)] }

// covered returns the parts that the tag of an output covers.
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

// VerifyNamed returns a value that was stored by a name, without its tag. It returns an error
// unless a worker with the key stored exactly this value under this name in this run.
func VerifyNamed(key sign.Key, o Origin, name string, signed []byte) ([]byte, error) {
	value := signed[:max(0, len(signed)-sign.TagSize)]
	if !key.Fits(signed[len(value):], sign.Value, []byte(o.Run), []byte(o.Incarnation), []byte(o.Digest), []byte(name), value) {
		return nil, fmt.Errorf("run %s: value %q was changed since a stage stored it, or signed with another key", o.Run, name)
	}
	return value, nil
}
