package execution

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// count returns the number of elements of the attempt's output, for which there are instances.
func (in inputs) count(ctx context.Context, output []byte, commands bool) (int, error) {
	if output != nil {
		var err error
		if output, err = in.array(ctx, in.Stage, output); err != nil {
			return 0, err
		}
	}
	return countElements(output, commands)
}

// countElements returns the number of elements of an output for whose elements there are instances,
// commands or not. An output with an element that its instance would not get as it is makes a final
// error.
func countElements(output []byte, commands bool) (int, error) {
	if output == nil {
		return 0, errors.New("the stage has no output, and there is a stage for each element of it: " +
			"it must be a JSON array")
	}

	// Each element is checked here, once. In the instances, one bad element would be found only
	// after others had been executed.
	list, err := parseElements(output)
	for i := 0; i < len(list) && err == nil; i++ {
		if err = checkElement(list[i], commands); err != nil {
			err = tasks.NoRetry(fmt.Errorf("element %d of the output: %w", i, err))
		}
	}

	return len(list), err
}

func checkElement(element json.RawMessage, forCommand bool) error {
	if err := jsontext.Check(element); err != nil {
		return fmt.Errorf("%w: write what is no text, such as names of files that are not UTF-8, "+
			"in another form, such as base64", err)
	}

	if text, isText := jsontext.Text(element); isText && forCommand && strings.Contains(text, "\x00") {
		return errors.New("it has the character U+0000, which no variable of a command can have")
	}
	return jsontext.CheckMembers(element)
}

// mustBeArray begins the errors of [parseElements].
const mustBeArray = "there is a stage for each element of the output: it must be a JSON array, and "

// parseElements returns the elements of a JSON array.
func parseElements(stored []byte) (list []json.RawMessage, err error) {
	codec, payload, err := cache.Split(stored)
	if err != nil {
		return nil, err
	}

	// Raw too: a command prints its list as text.
	if codec != cache.JSON.Name() && codec != cache.Raw.Name() {
		return nil, fmt.Errorf(mustBeArray+"has the codec %s", codec)
	}

	payload = bytes.TrimSpace(payload)
	err = json.Unmarshal(payload, &list)
	if _, wrong := errors.AsType[*json.SyntaxError](err); wrong && bytes.HasPrefix(payload, []byte("[")) {
		return nil, fmt.Errorf(mustBeArray+"is not valid: %w", err)
	}

	// A nil slice of Go is null in JSON, and an empty list here.
	if err != nil || list == nil && string(payload) != "null" {
		return nil, fmt.Errorf(mustBeArray+"begins with %.40q", payload)
	}

	// Checked before the report: the state machine refuses a success with a larger number.
	if len(list) > dag.MaxInstances {
		return nil, fmt.Errorf("there is a stage for each element of the output: "+
			"it can have %d elements, and has %d", dag.MaxInstances, len(list))
	}

	return list, nil
}

// lists keeps the lists for whose elements instances were executed last.
type lists struct {
	mu    sync.Mutex
	order []listKey
	known map[listKey]*list
}

// listKey identifies a list. It has the journal entry that says that the list was made: another run
// may have the same ID later, and a Redis that loses the end of a journal makes stages be executed
// again.
type listKey struct {
	origin values.Origin
	first  dag.StageID // instance
	made   string      // entry of the journal
}

type list struct {
	mu       sync.Mutex // held while the list is fetched, so that it is fetched once
	elements []json.RawMessage
}

// maxLists is how many lists a worker keeps. Batches of more runs than that rarely alternate.
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

	// Empty: the caller fetches it while it holds the lock of this list only, so that other lists
	// can be read meanwhile.
	l.known[key] = new(list)
	l.order = append(l.order, key)
	return l.known[key]
}

// element returns the element that an instance is for.
func (in inputs) element(ctx context.Context, i queue.Item) (json.RawMessage, error) {
	// The IDs of the instances of a list follow each other.
	first := i.Stage - dag.StageID(i.Index)
	list, err := in.list(ctx, first, i.List)
	if err != nil {
		return nil, fmt.Errorf("element %d of %w", i.Index, err)
	}

	// The list is signed, and the task too. But the number of instances comes from the journal,
	// which is not.
	if i.Index >= len(list) {
		return nil, fmt.Errorf("the output of stage %q has no element %d", in.kind().ForEach, i.Index)
	}
	return list[i.Index], nil
}

// list returns the list for whose elements a stage has instances. First is the first instance, and
// made is the journal entry that says that the list was made.
func (in inputs) list(ctx context.Context, first dag.StageID, made string) ([]json.RawMessage, error) {
	l := in.batch.lists.get(listKey{in.batch.origin, first, made})
	l.mu.Lock()
	defer l.mu.Unlock()

	// An error is not kept: the next instance tries again.
	if l.elements != nil {
		return l.elements, nil
	}

	var err error
	l.elements, err = in.fetchList(ctx)
	return l.elements, err
}

func (in inputs) fetchList(ctx context.Context) (list []json.RawMessage, err error) {
	id, _ := in.batch.pipeline.spec.Graph.Lookup(in.kind().ForEach)
	// Instances have no other dependency that could be fetched with the list.
	value, err := in.readAlone(ctx, id)
	if err == nil {
		list, err = parseElements(value)
	}
	if err != nil {
		return nil, fmt.Errorf("the output of stage %q: %w", in.kind().ForEach, err)
	}

	return list, nil
}
