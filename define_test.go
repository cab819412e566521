package godags

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/tasks"
)

func nothing(context.Context) error { return nil }

func numbers(context.Context) ([]int, error) { return []int{1, 2, 3}, nil }

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

// The words are those of pipeline files.
func TestPipeline_FreezesOptionsIntoTheSpec(t *testing.T) {
	p := New("p", Retries(1), RunTimeout(time.Hour), OnFailureStop())
	NewParam(p, "seed", 42)
	NewParam[[]string](p, "files")
	p.Do("default", nothing)
	all := p.Do("all", nothing, Retries(3), Backoff{Initial: time.Second, Factor: 1.5, Max: time.Minute, Jitter: 0.2}, Timeout(90*time.Second), Priority(-1), Trigger(AllDone),
		When("params.seed > 1"), Secrets("TOKEN"), Queue("gpu"))
	list := Produce(p, "list", numbers)
	Map(p, "double", double, list, MaxParallel(2), Retries(0), When("item > 1 && index < 2")).After(all)
	p.Command("command", Command{Argv: []string{"true"}, Dir: "/", Env: map[string]string{"A": "1"}, NoRetryCodes: []int{2}}, Retries(0))
	d, err := p.define()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	settings, _ := json.Marshal(d.Spec.Settings)
	fmt.Fprintf(&got, "%s\n", settings)
	for id := range d.Spec.Graph.Len() {
		kind, _ := json.Marshal(d.Spec.Kind(dag.StageID(id)))
		fmt.Fprintf(&got, "%s\n", kind)
	}
	const want = `{"timeout":3600000000000,"stop":true,"params":[{"name":"seed","type":"int","value":42},{"name":"files","type":"list"}]}
{"task":"p/default","retries":1}
{"task":"p/all","queue":"gpu","trigger":"all_done","when":"params.seed \u003e 1","retries":3,"backoff":{"initial":1000000000,"factor":1.5,"max":60000000000,"jitter":0.2},"timeout":90000000000,"priority":-1,"secrets":["TOKEN"]}
{"task":"p/list","retries":1}
{"task":"p/double","when":"item \u003e 1 \u0026\u0026 index \u003c 2","for_each":"list","max_parallel":2}
{"task":"p/command","params":{"argv":["true"],"dir":"/","env":{"A":"1"},"no_retry_codes":[2]}}
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestPipeline_ReportsWrongOptionsTogether(t *testing.T) {
	p := New("p", RunTimeout(time.Nanosecond))
	NewParam(p, "seed", 1)
	NewParam(p, "seed", "x")
	NewParam(p, "bad name", 1)
	NewParam(p, "f", nothing)
	NewParam(p, "two", 1, 2)
	NewParam(p, "huge", strings.Repeat("x", 100_000))
	list := Produce(p, "list", numbers)
	p.Do("ranges", nothing, Retries(-1), Priority(2_000_000), Timeout(time.Microsecond), Backoff{time.Minute, 0.5, time.Second, 2}, Secrets("a b"), Queue("/"), Trigger(9))
	p.Do("both", nothing, When("true"), WhenFunc(func(context.Context) (bool, error) { return true, nil }))
	p.Do("when", nothing, When("params.sede > 1")).After(list)
	Map(p, "map", double, list, MaxParallel(-1))
	p.Command("command", Command{Run: "a", Argv: []string{"b"}})
	_, err := p.define()
	if err == nil {
		t.Fatal("the pipeline is valid")
	}
	for _, want := range []string{
		"RunTimeout(1ns): it must be 0, for no limit, or at least 1ms",
		`parameter "seed" is declared twice`,
		`parameter: the name "bad name" can have letters, digits and _, no digit first`,
		`parameter "f": func(context.Context) error is neither string, int, float, bool, list nor object as JSON`,
		`parameter "two" has 2 defaults: give one or none`,
		`parameter "huge" has 100002 bytes`,
		"dag: there is no trigger 9",
		`stage "ranges": Retries(-1): it must be from 0 to 60000`,
		"Priority(2000000): it must be from -1000000 to 1000000",
		"Timeout(1µs): it must be 0, for no limit, or at least 1ms",
		"Backoff: Factor is 0.5: it must be from 1 to 1000",
		"Backoff: Max is 1s: it must not be less than Initial, which is 1m0s",
		"Backoff: Jitter is 2: it must be at most 1",
		`stage "ranges": Secrets: the name "a b" can have`,
		`stage "both": When and WhenFunc exclude each other`,
		"stage \"when\": When: ", "(did you mean \"seed\"?)\n    1 | params.sede > 1\n      |        ^^^^",
		`stage "map": MaxParallel(-1): it must be from 0 to 1000000`,
		`stage "command": params "run" and "argv" exclude each other`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestPipeline_ReportsAllMistakesTogether(t *testing.T) {
	p := New("a/b")
	p.Do("twice", nothing)
	p.Do("twice", nothing).After(nil, (*Stage)(nil))
	p.Do("stranger", nothing).After(New("other").Do("x", nothing))
	Map(p, "map", double, Output[[]int]{})
	Then(p, "then", double, Output[int]{})
	Sink(p, "sink", func(context.Context, int) error { return nil }, Output[int]{})
	sum := func(_ context.Context, a, b int) (int, error) { return a + b, nil }
	MapWith(p, "with", sum, Produce(p, "list", numbers), Output[int]{})
	Sink(p, "never", func(context.Context, *int) error { return nil }, Optional(Produce(p, "one", func(context.Context) (int, error) { return 1, nil })))
	_, err := p.define()
	if err == nil {
		t.Fatal("the pipeline is valid")
	}
	for want, times := range map[string]int{
		`illegal name "a/b": it has a slash`: 1, `stage "twice" is defined twice`: 1, `stage "twice": After got a nil stage`: 2, `stage of another pipeline ("other")`: 1,
		`stage "map": After got a nil stage`: 1, `stage "then": After got a nil stage`: 1,
		`stage "sink": After got a nil stage`: 1, `stage "with": After got a nil stage`: 1,
		`stage "never": the input from stage "one" is Optional, but the stage never starts without it: give it a Trigger`: 1,
	} {
		if n := strings.Count(err.Error(), want); n != times {
			t.Errorf("it says %d times %s", n, want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestNewParam_DerivesTheType(t *testing.T) {
	type point struct{ X, Y int }
	for got, want := range map[string]string{
		typeOf[string](): "string", typeOf[uint8](): "int", typeOf[float32](): "float", typeOf[bool](): "bool", typeOf[[]string](): "list",
		typeOf[[2]int](): "list", typeOf[map[string]int](): "object", typeOf[point](): "object", typeOf[*point](): "", typeOf[any](): "",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := typeOf[time.Time](); got != "string" {
		t.Errorf("a time is %q, want string, as in JSON", got)
	}
}

// fakeValues is what the handler of a stage sees of its run.
type fakeValues struct {
	tasks.Values
	output []byte
}

func (*fakeValues) Output(context.Context, string) ([]byte, error) { return nil, tasks.ErrNoOutput }
func (v *fakeValues) SetOutput(value []byte)                       { v.output = value }

// execute calls the handler of a stage.
func execute(t *testing.T, p *Pipeline, stage string, s *tasks.Stage) (string, error) {
	t.Helper()
	d, err := p.define()
	if err != nil {
		t.Fatal(err)
	}
	values := &fakeValues{}
	s.Values, s.Log = values, tasks.NewLogBuffer(0)
	err = tasks.Run(t.Context(), d.Handlers[p.name+"/"+stage], s)
	return string(values.output), err
}

func TestMap_PassesEachInstanceItsElement(t *testing.T) {
	p := New("p")
	Map(p, "double", double, Produce(p, "list", numbers))
	if got, err := execute(t, p, "double", &tasks.Stage{Instance: tasks.Instance{Item: json.RawMessage("21"), Index: 7}}); got != "json\n42" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := execute(t, p, "double", &tasks.Stage{Instance: tasks.Instance{Item: json.RawMessage(`"x"`), Index: 7}})
	if err == nil || !strings.HasPrefix(err.Error(), `element 7 of stage "list": json: cannot unmarshal string`) {
		t.Errorf("got %v", err)
	}
}

func TestWhenFunc_SkipsOrFailsTheStage(t *testing.T) {
	broken := errors.New("no network")
	for _, test := range []struct {
		holds bool
		err   error
		want  error
	}{{true, nil, nil}, {false, nil, tasks.ErrSkip}, {true, broken, broken}} {
		ran := false
		p := New("p")
		p.Do("s", func(context.Context) error { ran = true; return nil }, WhenFunc(func(ctx context.Context) (bool, error) {
			if info, ok := InfoOf(ctx); !ok || info.Stage != "s" {
				t.Errorf("the condition has not got the stage's context: %+v", info)
			}
			return test.holds, test.err
		}))
		if _, err := execute(t, p, "s", &tasks.Stage{Name: "s"}); !errors.Is(err, test.want) || ran != (test.want == nil) {
			t.Errorf("%v, %v: got %v, ran %v", test.holds, test.err, err, ran)
		}
	}
}

func TestInput_ThatDoesNotExist(t *testing.T) {
	p := New("p")
	list := Produce(p, "list", numbers)
	count := func(_ context.Context, l []int) (int, error) { return len(l), nil }
	Then(p, "strict", count, list)
	Then(p, "lenient", count, list, Trigger(AllDone))
	if _, err := execute(t, p, "strict", &tasks.Stage{}); !errors.Is(err, tasks.ErrNoOutput) || !strings.Contains(err.Error(), `"list"`) {
		t.Errorf("got %v", err)
	}
	if got, err := execute(t, p, "lenient", &tasks.Stage{}); got != "json\n0" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// The function can tell a stage without output from one whose output is a zero value, null in JSON.
func TestOptional_TellsNoOutputFromTheZeroValue(t *testing.T) {
	empty := func(context.Context) ([]int, error) { return nil, nil }
	for _, codec := range []cache.Codec{cache.JSON, cache.Gob} {
		for _, skipped := range []bool{false, true} {
			var got *[]int
			p := New("p", Codec(codec))
			list := Produce(p, "list", empty, WhenFunc(func(context.Context) (bool, error) { return !skipped, nil }))
			Sink(p, "sink", func(_ context.Context, list *[]int) error { got = list; return nil }, Optional(list), Trigger(AllDone))
			if _, err := Run(t.Context(), p); err != nil || (got == nil) != skipped {
				t.Errorf("%s, skipped %t: got %v, %v", codec.Name(), skipped, got, err)
			}
		}
	}
}

func TestOptional_HasAResult(t *testing.T) {
	p := New("p", Codec(cache.Gob))
	total := Produce(p, "total", func(context.Context) (int, error) { return 0, nil })
	report, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Result(report, Optional(total)); err != nil || got == nil || *got != 0 {
		t.Errorf("got %v, %v, want a pointer to 0", got, err)
	}
}

func TestMapWith_GivesEachInstanceTheSameInput(t *testing.T) {
	p := New("p")
	factor := Produce(p, "factor", func(context.Context) (int, error) { return 10, nil })
	multiply := func(_ context.Context, n, factor int) (int, error) { return n * factor, nil }
	products := MapWith(p, "multiply", multiply, Produce(p, "list", numbers), factor)
	report, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Result(report, products); err != nil || fmt.Sprint(got) != "[10 20 30]" {
		t.Errorf("got %v, %v", got, err)
	}
}

type point struct{ X, Y int }

// A map with structs as keys, which JSON cannot carry.
type counts map[point]int

func TestMap_CarriesListsInEveryCodec(t *testing.T) {
	lists := func(context.Context) ([]counts, error) {
		return []counts{{{1, 2}: 3}, nil, {{4, 5}: 6, {7, 8}: 9}}, nil
	}
	// The second instance is skipped.
	grow := func(_ context.Context, c counts) (counts, error) {
		grown := counts{}
		for at, n := range c {
			grown[at] = n + 1
		}
		return grown, nil
	}
	add := func(_ context.Context, c counts, by []counts) (counts, error) {
		grown := counts{{0, 0}: len(by)}
		for at, n := range c {
			grown[at] = n + 10
		}
		return grown, nil
	}

	p := New("p", Codec(cache.Gob))
	list := Produce(p, "list", lists)
	read := 0
	Sink(p, "reader", func(_ context.Context, list []counts) error { read = len(list); return nil }, list)
	grown := Map(p, "grow", grow, list, WhenFunc(func(ctx context.Context) (bool, error) {
		info, ok := InfoOf(ctx)
		return ok && info.Index != 1, nil
	}))
	added := MapWith(p, "add", add, grown, grown)
	report, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Result(report, added)
	want := []counts{{{0, 0}: 3, {1, 2}: 14}, {{0, 0}: 3}, {{0, 0}: 3, {4, 5}: 17, {7, 8}: 20}}
	if err != nil || !reflect.DeepEqual(got, want) || read != 3 {
		t.Errorf("got %v, %v, %d read; want %v, 3 read", got, err, read, want)
	}
}

// The texts are not UTF-8, which JSON has not. The first one is empty, and no skipped instance.
func TestMap_MixesCodecs(t *testing.T) {
	text := func(_ context.Context, n int) (string, error) { return strings.Repeat("\xff", n-1), nil }
	size := func(_ context.Context, text string) (int, error) { return len(text), nil }
	for _, codec := range []cache.Codec{cache.Gob, cache.Raw} {
		p := New("p")
		texts := Map(p, "text", text, Produce(p, "list", numbers), Codec(codec))
		sizes := Map(p, "size", size, texts)
		report, err := Run(t.Context(), p)
		if err != nil {
			t.Fatalf("%s: %v", codec.Name(), err)
		}
		if got, err := Result(report, sizes); err != nil || fmt.Sprint(got) != "[0 1 2]" {
			t.Errorf("%s: got %v, %v", codec.Name(), got, err)
		}
	}
}

func TestMap_RefusesWhatTheCodecOfTheListCannotCarry(t *testing.T) {
	p := New("p")
	Map(p, "map", func(_ context.Context, b byte) (int, error) { return int(b), nil }, p.Command("command", Command{Run: "true"}))
	Map(p, "raw", double, Produce(p, "list", numbers), Codec(cache.Raw))
	_, err := p.define()
	for _, want := range []string{
		`stage "map": Map needs a list that a Go function makes, and stage "command" is a command`,
		`stage "raw": its output int cannot be stored`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
}

func TestNoRetry_WrapsTheError(t *testing.T) {
	cause := errors.New("wrong password")
	err := NoRetry(cause)
	if !errors.Is(err, ErrNoRetry) || !errors.Is(err, cause) || err.Error() != "wrong password" {
		t.Errorf("got %v", err)
	}
	if NoRetry(nil) != nil {
		t.Error("success has become a failure")
	}
}
