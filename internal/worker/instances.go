package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/values"
)

// knows reports whether an item makes sense for the spec.
func (l *loaded) knows(i queue.Item) bool {
	n := l.spec.Graph.Len()
	if int(i.Stage) < n {
		return i.Count == 0 || int(i.First) >= n && i.Count <= dag.MaxInstances && l.spec.Kind(i.Stage).ForEach != ""
	}
	return int(i.Of) < n && i.Index >= 0 && i.Index <= int(i.Stage)-n && l.spec.Kind(i.Of).ForEach != ""
}

// keep keeps what must be known of an instance, or of a stage that gathers what its instances have done.
func (b *bundle) keep(i queue.Item) {
	if int(i.Stage) < b.loaded.spec.Graph.Len() && i.Count == 0 {
		return
	}
	if b.items == nil {
		b.items = make(map[dag.StageID]queue.Item)
	}
	b.items[i.Stage] = i
}

// item is what another worker must be told of an attempt.
func (b *bundle) item(a journal.Attempted) queue.Item {
	i := b.items[a.Stage]
	i.Stage, i.Attempt = a.Stage, a.Attempt
	return i
}

// graphStage returns the stage of the graph that says how s is executed: itself, or the template of an instance.
func (b *bundle) graphStage(s dag.StageID) dag.StageID {
	if int(s) < b.loaded.spec.Graph.Len() {
		return s
	}
	return b.items[s].Of
}

func (b *bundle) name(s dag.StageID) string {
	name, g := b.loaded.spec.Graph.Name(b.graphStage(s)), b.graphStage(s)
	if g != s {
		name += "[" + strconv.Itoa(b.items[s].Index) + "]"
	}
	return name
}

// valueName is what the attempt's output is called in a cache. Instances that were replaced by others of the same name have another one.
func (e *execution) valueName() string {
	if e.graphStage() == e.Stage {
		return e.name()
	}
	return fmt.Sprintf("%s@%d", e.name(), e.Stage)
}

// cleansUp reports whether a stage is executed in a cancelled run too.
func (b *bundle) cleansUp(s dag.StageID) bool {
	return b.loaded.spec.Kind(b.graphStage(s)).Trigger == dag.AllDone
}

func (b *bundle) claimOf(a journal.Attempted) journal.Move {
	claim := journal.ClaimOf(a)
	claim.CleanUp = b.cleansUp(a.Stage)
	return claim
}

// count returns the number of elements of an output for whose elements there are instances.
func count(output []byte) (int, error) {
	if output == nil {
		return 0, errors.New("the stage has no output, and there is a stage for each element of it: it must be a JSON array")
	}
	list, err := elements(output)
	return len(list), err
}

// elements takes a JSON array apart.
func elements(stored []byte) (list []json.RawMessage, err error) {
	codec, payload, err := cache.Split(stored)
	if err != nil {
		return nil, err
	}
	if codec != cache.JSON.Name() && codec != cache.Raw.Name() {
		return nil, fmt.Errorf("there is a stage for each element of the output: it must be a JSON array, and has the codec %s", codec)
	}
	null := string(bytes.TrimSpace(payload)) == "null" // a nil slice of Go: an empty list
	err = json.Unmarshal(payload, &list)
	if _, wrong := errors.AsType[*json.SyntaxError](err); wrong && bytes.HasPrefix(bytes.TrimSpace(payload), []byte("[")) {
		return nil, fmt.Errorf("there is a stage for each element of the output: it must be a JSON array, and is not valid: %w", err)
	}
	if err != nil || list == nil && !null {
		return nil, fmt.Errorf("there is a stage for each element of the output: it must be a JSON array, and begins with %.40q", bytes.TrimSpace(payload))
	}
	if len(list) > dag.MaxInstances {
		return nil, fmt.Errorf("there is a stage for each element of the output: it can have %d, and has %d", dag.MaxInstances, len(list))
	}
	return list, nil
}

// lists keeps the lists for whose elements instances were executed last. The entry of the journal that says that a list was made identifies it:
// another run may have the same id later, and a Redis that loses the end of a journal makes stages be executed again.
type lists struct {
	mu    sync.Mutex
	order []listKey
	known map[listKey]*list
}

type listKey struct {
	run   journal.RunID
	first dag.StageID // instance
	made  string      // entry of the journal
}

type list struct {
	mu       sync.Mutex // held while the list is fetched
	elements []json.RawMessage
}

const maxLists = 8

func (l *lists) get(key listKey) *list {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.known[key]; found != nil {
		return found
	}
	if len(l.order) == maxLists {
		delete(l.known, l.order[0])
		l.order = slices.Delete(l.order, 0, 1)
	}
	if l.known == nil {
		l.known = make(map[listKey]*list)
	}
	l.known[key] = new(list)
	l.order = append(l.order, key)
	return l.known[key]
}

// element returns the element that an instance is for.
func (w *Worker) element(ctx context.Context, e *execution, i queue.Item) (json.RawMessage, error) {
	sp, run := e.bundle.loaded.spec, e.bundle.claim.Run
	l := w.lists.get(listKey{run, i.Stage - dag.StageID(i.Index), i.List})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.elements == nil {
		source, _ := sp.Graph.Lookup(sp.Kind(i.Of).ForEach)
		value, err := w.output(ctx, e, source)
		if err == nil {
			l.elements, err = elements(value)
		}
		if err != nil {
			return nil, fmt.Errorf("element %d of the output of stage %q: %w", i.Index, sp.Graph.Name(source), err)
		}
	}
	if i.Index >= len(l.elements) {
		return nil, fmt.Errorf("the output of stage %q has no element %d", sp.Kind(i.Of).ForEach, i.Index)
	}
	return l.elements[i.Index], nil
}

// output fetches the output of a stage of the graph.
func (w *Worker) output(ctx context.Context, e *execution, id dag.StageID) (value []byte, err error) {
	err = steadily(ctx, func() error {
		recorded, err := w.Journal.Outputs(ctx, e.bundle.claim.Run, id)
		if err == nil {
			value, err = w.openOutput(ctx, e, id, recorded[0])
		}
		return err
	})
	return value, err
}

// gathered returns the stages of which the attempt makes a list: the cells of a matrix, or instances.
func (e *execution) gathered() []dag.StageID {
	if e.kind().Gather {
		return e.bundle.loaded.spec.Graph.Deps(e.Stage)
	}
	item := e.bundle.items[e.Stage]
	ids := make([]dag.StageID, item.Count)
	for i := range ids {
		ids[i] = item.First + dag.StageID(i)
	}
	return ids
}

func (e *execution) gatheredName(s dag.StageID) string {
	if e.kind().Gather {
		return e.bundle.name(s)
	}
	return fmt.Sprintf("%s[%d]", e.name(), s-e.bundle.items[e.Stage].First)
}

// gather makes one JSON array of what the instances or cells have left, in their order.
func (x *exchange) gather(ctx context.Context) error {
	all := []byte(cache.JSON.Name() + "\n[")
	for ids := range slices.Chunk(x.execution.gathered(), fetchedAtOnce) {
		err := steadily(ctx, func() error { return x.gatherSome(ctx, ids, &all) })
		if err != nil {
			return err
		}
	}
	x.SetOutput(append(all, ']'))
	return nil
}

// gatherSome appends what some instances or cells have left.
func (x *exchange) gatherSome(ctx context.Context, ids []dag.StageID, all *[]byte) error {
	e, begin := x.execution, len(*all)
	recorded, err := x.worker.Journal.Outputs(ctx, e.bundle.claim.Run, ids...)
	for i := 0; i < len(ids) && err == nil; i++ {
		text := json.RawMessage("null")
		if recorded[i] != nil {
			text, err = x.open(ctx, ids[i], recorded[i])
		}
		if err != nil {
			err = fmt.Errorf("the output of %s: %w", e.gatheredName(ids[i]), err)
		}
		if !bytes.HasSuffix(*all, []byte("[")) {
			*all = append(*all, ',')
		}
		*all = append(*all, text...)
	}
	if err != nil {
		*all = (*all)[:begin]
	}
	return err
}

// open returns what an instance has left as JSON.
func (x *exchange) open(ctx context.Context, id dag.StageID, signed []byte) (json.RawMessage, error) {
	e := x.execution
	recorded, err := values.Verify(x.worker.Key, e.bundle.claim.Run, id, signed)
	if err != nil {
		return nil, err
	}
	stored, err := x.worker.Stores.Open(ctx, e.bundle.loaded.spec, e.bundle.claim.Run, e.Stage, recorded)
	if err != nil {
		return nil, err
	}
	codec, payload, err := cache.Split(stored)
	switch {
	case err != nil:
		return nil, err
	case codec == cache.JSON.Name(), codec == cache.Raw.Name() && json.Valid(payload):
		return bytes.TrimSpace(payload), nil
	case codec == cache.Raw.Name() && utf8.Valid(payload):
		return json.Marshal(string(bytes.TrimRight(payload, "\r\n")))
	}
	return nil, fmt.Errorf("it cannot be an element of a list: it is neither JSON nor text (codec %s)", codec)
}
