package version

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Format is the version of everything that godags stores in Redis for other processes: frozen
// pipelines, journal records and tasks. One number covers them all, because a run has one of each.
//
// Raise it with every change that this program would misread. A program reads its own format and
// all before it: `testdata/format-N` has a run of each. It writes the records of a run in the
// format of that run.
const Format = 1

// ErrNewer says that a newer godags wrote something that this program cannot read.
var ErrNewer = errors.New("written by a newer godags")

// CheckFormat returns [ErrNewer] for a format that this program cannot read.
func CheckFormat(format int) error {
	if format <= Format {
		return nil
	}
	return fmt.Errorf("%w (format %d); this one reads format %d: upgrade this program", ErrNewer, format, Format)
}

// Unknown returns [ErrNewer] for something that no format up to [Format] has, and that does not say
// which format it is of.
func Unknown(what string) error {
	return fmt.Errorf("%s: %w (format %d or later); this one reads format %d: upgrade this program", what, ErrNewer, Format+1, Format)
}

// Decode decodes a JSON object whose field "format" says its format; format points to that field of
// the object. A field that the object does not have is not ignored, because it could change what
// the others mean: the error is [ErrNewer].
func Decode(data []byte, object any, format *int) error {
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	err := strict.Decode(object)
	if err == nil {
		if rest := bytes.TrimSpace(data[strict.InputOffset():]); len(rest) > 0 {
			return errors.New("there is more behind the JSON object")
		}
		return CheckFormat(*format)
	}

	// The format first: a newer one may give any field another type.
	var head struct {
		Format int `json:"format"`
	}
	if json.Unmarshal(data, &head) != nil {
		return err
	}
	if newer := CheckFormat(head.Format); newer != nil {
		return newer
	}

	// encoding/json has no type for an unknown field. It is the cause if a decoder that ignores
	// such fields finds nothing wrong.
	if json.Unmarshal(data, object) == nil {
		return Unknown(err.Error())
	}
	return err
}
