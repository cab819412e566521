package execution

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// The output of a stage that collects the outputs of its instances, or of the cells of its matrix,
// is a JSON array if that is small. Otherwise the stage records only which parts the output has,
// and each reader fetches them: most stages behind it only wait for it, and the array may have
// gigabytes, or elements that JSON cannot express.
//
//	form                      who makes it                   who reads it
//	value, or reference to    an attempt that calls its      inputs.read
//	it in a cache             handler
//	signed absence            an attempt without output,     inputs.verify: tasks.ErrNoOutput
//	                          if a dependent notices it
//	small JSON array          gather                         inputs.read
//	list of parts             gather, if the array is        array, which makes the JSON array;
//	(values.PartsCodec)       larger than values.MaxInline   inputs of commands, one file a part
//
// An element is a member of the list of a fan-out, and the input of an instance. A part is the
// output of an instance or cell, as a part of the output of its mapped stage. An item is what a
// task says of an attempt (queue.Item).

// maxGathered is the size in bytes of the largest list that is made in memory.
const maxGathered = 512 << 20

// part is the output of one instance or cell.
type part struct {
	source
	label string // distinguishes it from the others: "0" or "os=linux"
}

var errTooLarge = errors.New("the list is too large")

var errCount = errors.New("the number of its instances is not the number of elements of the list: " +
	"the journal was changed in Redis")

// gathered returns the parts that the attempt is to gather.
func (in inputs) gathered() values.Parts {
	item := in.batch.items[in.Stage]
	if in.kind().Gather {
		return values.Parts{Count: len(in.batch.pipeline.spec.Graph.Deps(in.Stage)), Attempts: item.Deps}
	}
	return values.Parts{First: item.First, Count: item.Count, Attempts: item.Deps}
}

// partsOf returns the parts of the output of a stage of the graph, in order.
func (l *pipeline) partsOf(stage dag.StageID, p values.Parts) ([]part, error) {
	attempts, err := queue.SucceededAttempts(p.Attempts).Attempts(p.Count)
	if err != nil {
		return nil, err
	}

	gather := l.spec.Kind(stage).Gather
	list := make([]part, p.Count)
	for i, s := range p.Stages(l.spec, stage) {
		of := &list[i]
		if gather {
			of.Producer = values.Producer{Stage: s, Of: s}
			of.label = cellLabel(l.spec.Graph.Name(stage), l.spec.Graph.Name(s))
		} else {
			of.Producer = values.Producer{Stage: s, Of: stage, Index: i}
			of.label = strconv.Itoa(i)
		}

		of.attempt = attemptOf(attempts, i)
		of.known = true
	}

	return list, nil
}

// cellLabel returns what is in the brackets of the name of a cell.
func cellLabel(stage, cell string) string {
	inside, ok := strings.CutPrefix(cell, stage+"[")
	if inside, closed := strings.CutSuffix(inside, "]"); ok && closed {
		return inside
	}
	return cell
}

func (l *pipeline) partName(of part) string {
	name := l.spec.Graph.Name(of.Of)
	if of.Of != of.Stage {
		name += "[" + of.label + "]"
	}
	return name
}

// complete returns an error if the attempt gathers the outputs of instances, and there is not one
// instance for each element of the list: the journal, which says how many there are, is not signed.
func (in inputs) complete(ctx context.Context) error {
	// The cells of a matrix are in the spec, whose digest is in the signed task.
	if in.kind().Gather {
		return nil
	}

	item := in.batch.items[in.Stage]
	var list []json.RawMessage
	var err error
	if item.Count == 0 { // without instances, nothing identifies the list
		list, err = in.fetchList(ctx)
	} else {
		list, err = in.list(ctx, item.First, item.List)
	}

	if err == nil && len(list) != item.Count {
		err = fmt.Errorf("%w (%d instances, and %d elements)", errCount, item.Count, len(list))
	}
	return err
}

// gather returns the output of a stage that gathers: the array if that is small, else its parts,
// and then their digest.
func (in inputs) gather(ctx context.Context) (output []byte, parts journal.Digest, err error) {
	if err := in.complete(ctx); err != nil {
		return nil, parts, err
	}

	// A larger array would go to a store and be fetched whole by each reader.
	p := in.gathered()
	list := newArrayBuilder(values.MaxInline)
	err = in.eachPart(ctx, in.Stage, p, values.MaxInline, list.add)
	switch {
	case errors.Is(err, errTooLarge) || errors.Is(err, values.ErrNotJSON):
		text, err := json.Marshal(p)
		if err != nil {
			return nil, parts, err
		}
		parts, err = in.digest(ctx, p)
		return append([]byte(values.PartsCodec+"\n"), text...), parts, err

	case err != nil:
		return nil, parts, err
	}

	return list.close(), parts, nil
}

// digest returns the digest of an output of which only the parts are recorded: of the codec's name
// and the digests of all parts, zero for a part without output. The list of parts says nothing
// about what is in them.
func (in inputs) digest(ctx context.Context, p values.Parts) (sum journal.Digest, err error) {
	l := in.batch.pipeline
	list, err := l.partsOf(in.Stage, p)
	if err != nil {
		return sum, err
	}

	// From the digests that are recorded: the parts themselves may have gigabytes.
	h := sha256.New()
	h.Write([]byte(values.PartsCodec + "\n")) // never fails
	for some := range slices.Chunk(list, fetchedAtOnce) {
		recorded, err := in.recordedParts(ctx, some)
		if err != nil {
			return sum, err
		}

		for i, r := range recorded {
			part, err := values.DigestOf(r)
			if err != nil {
				return sum, fmt.Errorf("the output of %s: %w", l.partName(some[i]), err)
			}
			h.Write(part[:])
		}
	}

	return journal.Digest(h.Sum(nil)), nil
}

// eachPart calls do with each part of the output of a stage, in order, and with nil for a part
// without output. It fails with errTooLarge as soon as the parts are known to have more bytes than
// most.
func (in inputs) eachPart(
	ctx context.Context, stage dag.StageID, p values.Parts, most int, do func(part, []byte) error,
) error {
	l := in.batch.pipeline
	list, err := l.partsOf(stage, p)
	if err != nil {
		return err
	}

	size := 0
	for some := range slices.Chunk(list, fetchedAtOnce) {
		recorded, err := in.recordedParts(ctx, some)
		if err != nil {
			return err
		}

		for _, r := range recorded {
			if r != nil {
				size += values.Size(r)
			}
		}

		// Known from the records alone, so that parts in a cache are not fetched in vain.
		if size > most {
			return errTooLarge
		}

		for i, of := range some {
			value, err := in.openPart(ctx, of, recorded[i])
			if err == nil {
				err = do(of, value)
			}
			if err != nil {
				return fmt.Errorf("the output of %s: %w", l.partName(of), err)
			}
		}
	}

	return nil
}

// recordedParts returns what was recorded as some parts, and nil for a part without output.
func (in inputs) recordedParts(ctx context.Context, some []part) (recorded [][]byte, err error) {
	ids := make([]dag.StageID, len(some))
	for i, of := range some {
		ids[i] = of.Stage
	}

	err = in.retry(ctx, func() error {
		recorded, err = in.batch.Journal.Outputs(ctx, in.batch.Claim.Run, ids...)
		return err
	})
	if err != nil {
		return nil, err
	}

	// Outside of retry: a bad signature stays bad.
	for i, of := range some {
		recorded[i], err = in.verify(of.source, recorded[i])
		if errors.Is(err, tasks.ErrNoOutput) {
			recorded[i] = nil
		} else if err != nil {
			return nil, fmt.Errorf("the output of %s: %w", in.batch.pipeline.partName(of), err)
		}
	}

	return recorded, nil
}

// openPart returns the value behind what was recorded as a part.
func (in inputs) openPart(ctx context.Context, of part, recorded []byte) (value []byte, err error) {
	if recorded == nil {
		return nil, nil
	}
	err = in.retry(ctx, func() error {
		value, err = in.batch.Stores.Open(ctx, in.batch.pipeline.spec, in.batch.Claim.Run, of.Of, recorded)
		return err
	})
	return value, err
}

// arrayBuilder makes an output that is a JSON array and has at most so many bytes.
type arrayBuilder struct {
	output []byte
	most   int
}

func newArrayBuilder(most int) *arrayBuilder {
	return &arrayBuilder{output: []byte(cache.JSON.Name() + "\n["), most: most}
}

func (a *arrayBuilder) add(_ part, value []byte) error {
	text, err := values.Element(value)
	if err != nil {
		return err
	}

	if !bytes.HasSuffix(a.output, []byte("[")) {
		a.output = append(a.output, ',')
	}

	a.output = append(a.output, text...)
	if len(a.output) >= a.most { // without the closing bracket
		return errTooLarge
	}

	return nil
}

func (a *arrayBuilder) close() []byte { return append(a.output, ']') }

// array returns the output of a stage as one value: the list of its parts if it has parts.
func (in inputs) array(ctx context.Context, stage dag.StageID, stored []byte) ([]byte, error) {
	l := in.batch.pipeline
	p, ok, err := values.PartsOf(l.spec, stage, stored)
	if !ok || err != nil {
		return stored, err
	}

	list := newArrayBuilder(maxGathered)
	err = in.eachPart(ctx, stage, p, maxGathered, list.add)
	switch name := l.spec.Graph.Name(stage); {
	case errors.Is(err, values.ErrNotJSON):
		return nil, tasks.NoRetry(fmt.Errorf("%[1]w, so there is no JSON array of all outputs of %[2]s: "+
			"let it write JSON, text or the path of a file, or read the outputs in a command after %[2]s, "+
			"which finds a file for each in the folder $GODAGS_INPUTS/%[2]s", err, name))
	case errors.Is(err, errTooLarge):
		return nil, tasks.NoRetry(fmt.Errorf("the outputs of %[1]s have more than %[2]d MiB together, "+
			"so there is no JSON array of them: let them be paths of files, or read them in a command after %[1]s, "+
			"which finds them in $GODAGS_INPUTS/%[1]s", name, maxGathered>>20))
	case err != nil:
		return nil, err
	}

	return list.close(), nil
}
