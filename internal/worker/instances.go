package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// knows reports whether an item makes sense for the spec.
func (l *loaded) knows(i queue.Item) bool {
	n := l.spec.Graph.Len()
	if int(i.Stage) < n {
		return i.Count == 0 || int(i.First) >= n && i.Count <= dag.MaxInstances && l.spec.Kind(i.Stage).ForEach != ""
	}
	return int(i.Of) < n && i.Index >= 0 && i.Index <= int(i.Stage)-n && l.spec.Kind(i.Of).ForEach != ""
}

// keep keeps what must be known of an instance, of a stage that gathers what its instances have
// done, and of one with a dependency that did not succeed with its first attempt.
func (b *bundle) keep(i queue.Item) {
	if int(i.Stage) < b.loaded.spec.Graph.Len() && i.Count == 0 && len(i.Deps) == 0 {
		return
	}
	if b.items == nil {
		b.items = make(map[dag.StageID]queue.Item)
	}
	b.items[i.Stage] = i
}

// item is what another worker must be told of an attempt.
func (b *bundle) item(a journal.AttemptID) queue.Item {
	i := b.items[a.Stage]
	i.Stage = a.Stage
	i.Attempt = a.Attempt
	return i
}

// graphStage returns the stage of the graph that says how s is executed: itself, or the template of
// an instance.
func (b *bundle) graphStage(s dag.StageID) dag.StageID {
	if int(s) < b.loaded.spec.Graph.Len() {
		return s
	}
	return b.items[s].Of
}

func (b *bundle) name(s dag.StageID) string {
	name := b.loaded.spec.Graph.Name(b.graphStage(s))
	g := b.graphStage(s)
	if g != s {
		name += "[" + strconv.Itoa(b.items[s].Index) + "]"
	}
	return name
}

// valueName is what the attempt's output is called in a cache. Instances that were replaced by
// others of the same name have another one.
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

func (b *bundle) claimOf(a journal.AttemptID) journal.Op {
	claim := journal.ClaimOp(a)
	claim.CleanUp = b.cleansUp(a.Stage)
	return claim
}

// count returns the number of elements of the attempt's output, for which there are instances.
func (w *Worker) count(ctx context.Context, e *execution, output []byte, commands bool) (int, error) {
	if output != nil {
		var err error
		if output, err = w.array(ctx, e, e.Stage, output); err != nil {
			return 0, err
		}
	}
	return count(output, commands)
}

// count returns the number of elements of an output for whose elements there are instances,
// commands or not. An output with an element that would be another one for its instance is an
// error, which is final.
func count(output []byte, commands bool) (int, error) {
	if output == nil {
		return 0, errors.New("the stage has no output, and there is a stage for each element of it: it must be a JSON array")
	}

	list, err := elements(output)
	for i := 0; i < len(list) && err == nil; i++ {
		if err = checkElement(list[i], commands); err != nil {
			err = tasks.NoRetry(fmt.Errorf("element %d of the output: %w", i, err))
		}
	}

	return len(list), err
}

func checkElement(element json.RawMessage, forCommand bool) error {
	if err := jsontext.Check(element); err != nil {
		return fmt.Errorf("%w: write what is no text, such as names of files that are not UTF-8, in another form, such as base64", err)
	}
	if text, isText := jsontext.Text(element); isText && forCommand && strings.Contains(text, "\x00") {
		return errors.New("it has the character U+0000, which no variable of a command can have")
	}
	return jsontext.CheckMembers(element)
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

// lists keeps the lists for whose elements instances were executed last. The entry of the journal
// that says that a list was made identifies it: another run may have the same id later, and a Redis
// that loses the end of a journal makes stages be executed again.
type lists struct {
	mu    sync.Mutex
	order []listKey
	known map[listKey]*list
}

type listKey struct {
	origin values.Origin
	first  dag.StageID // instance
	made   string      // entry of the journal
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
	list, err := w.list(ctx, e, i.Stage-dag.StageID(i.Index), i.List)
	if err != nil {
		return nil, fmt.Errorf("element %d of %w", i.Index, err)
	}
	if i.Index >= len(list) {
		return nil, fmt.Errorf("the output of stage %q has no element %d", e.kind().ForEach, i.Index)
	}
	return list[i.Index], nil
}

// list returns the list for whose elements a stage has instances, of which first is the first. Made
// is the entry of the journal that says that the list was made.
func (w *Worker) list(ctx context.Context, e *execution, first dag.StageID, made string) ([]json.RawMessage, error) {
	l := w.lists.get(listKey{e.bundle.origin, first, made})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.elements != nil {
		return l.elements, nil
	}

	var err error
	l.elements, err = w.fetchList(ctx, e)
	return l.elements, err
}

func (w *Worker) fetchList(ctx context.Context, e *execution) (list []json.RawMessage, err error) {
	id, _ := e.bundle.loaded.spec.Graph.Lookup(e.kind().ForEach)
	value, err := w.output(ctx, e, id)
	if err == nil {
		list, err = elements(value)
	}
	if err != nil {
		return nil, fmt.Errorf("the output of stage %q: %w", e.kind().ForEach, err)
	}

	return list, nil
}

// output fetches the output of a stage of the graph.
func (w *Worker) output(ctx context.Context, e *execution, id dag.StageID) (value []byte, err error) {
	from, err := e.source(id)
	if err != nil {
		return nil, err
	}

	err = e.steadily(ctx, func() error {
		recorded, err := w.Journal.Outputs(ctx, e.bundle.claim.Run, id)
		if err == nil {
			value, err = w.openOutput(ctx, e, from, recorded[0])
		}
		return err
	})
	if err != nil {
		return nil, err
	}

	return w.array(ctx, e, id, value)
}
