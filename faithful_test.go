package godags

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godags/godags/cache"
)

type hiddenPair struct{ a, b int }

// What the types show is found before anything runs.
func TestPipeline_RefusesTypesAndFunctionsThatCannotWork(t *testing.T) {
	p := New("p", nil)
	p.Do("do", nil)
	Produce[int](p, "produce", nil)
	Then[int, int](p, "then", nil, Produce(p, "one", func(context.Context) (int, error) { return 1, nil }))
	Map[int, int](p, "map", nil, Produce(p, "list", numbers))
	MapWith[int, int, int](p, "with", nil, Produce(p, "list 2", numbers), Produce(p, "side", func(context.Context) (int, error) { return 1, nil }))
	Sink(p, "sink", nil, Produce(p, "two", func(context.Context) (int, error) { return 2, nil }))
	p.Do("when", nothing, WhenFunc(nil))
	p.Do("codec", nothing, Codec(nil))
	p.Do("option", nothing, Priority(1), nil)
	hidden := Produce(p, "hidden", func(context.Context) (hiddenPair, error) { return hiddenPair{1, 2}, nil })
	Then(p, "reader", func(context.Context, hiddenPair) (func(), error) { return nil, nil }, hidden)
	Produce(p, "raw", func(context.Context) (int, error) { return 1, nil }, Codec(cache.Raw))
	Produce(p, "nothing by gob", func(context.Context) (struct{}, error) { return struct{}{}, nil }, Codec(cache.Gob))
	failure := Produce(p, "error", func(context.Context) (error, error) { return nil, nil })
	Then(p, "of error", func(context.Context, error) (int, error) { return 1, nil }, failure)
	p.Command("latin", Command{Argv: []string{"cat", "caf\xe9.txt"}})
	_, err := p.define()
	if err == nil {
		t.Fatal("the pipeline is valid")
	}
	for _, want := range []string{
		"option 1 is nil", `stage "do": its function is nil`, `stage "produce": its function is nil`, `stage "then": its function is nil`, `stage "map": its function is nil`,
		`stage "with": its function is nil`, `stage "sink": its function is nil`,
		`stage "when": WhenFunc(nil): it must not be nil`, `stage "codec": Codec(nil)`, `stage "option": option 2 is nil`,
		`stage "hidden": its output godags.hiddenPair cannot be stored: godags.hiddenPair has no exported fields`,
		`stage "reader": its output func() cannot be stored: a func() cannot be passed to another stage`,
		`stage "raw": its output int cannot be stored: raw takes []byte and string only`,
		`stage "nothing by gob": its output struct {} cannot be stored`,
		`stage "of error": the output error of stage "error" cannot be read: JSON does not say which type to make of a error`,
		`stage "latin": Argv[1]: the text is not UTF-8`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestPipeline_RefusesParametersThatAreOneVariable(t *testing.T) {
	p := New("p")
	NewParam(p, "seed", 1)
	NewParam(p, "Seed", 2)
	NewParam(p, "text", "caf\xe9")
	_, err := p.define()
	for _, want := range []string{`parameters "seed" and "Seed" differ in case only`, `parameter "text": the text is not UTF-8`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
}

func TestRun_RefusesOptionsThatCannotBe(t *testing.T) {
	p := New("p")
	p.Do("a", nothing)
	for want, options := range map[string][]RunOption{
		"Concurrency(-1): it must be at least 0":       {Concurrency(-1)},
		"Concurrency(0) leaves all stages to workers":  {Concurrency(0)},
		"Grace(-1s): it must not be negative":          {Grace(-time.Second)},
		"Keep(-1s): it must not be negative":           {Keep(-time.Second)},
		"option 2 is nil":                              {Concurrency(1), nil},
		"Redis and Home exclude each other":            {Redis("redis://localhost"), Home("x")},
		"Logger(nil): it must not be nil":              {Logger(nil)},
		"Middleware(nil): it must not be nil":          {Middleware(nil)},
		`parameter "x": the text is not UTF-8: byte 4`: {Params(map[string]any{"x": "caf\xe9"})},
	} {
		if report, err := Run(t.Context(), p, options...); report != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want an error with %q", report, err, want)
		}
	}
	if _, err := Run(t.Context(), nil); err == nil {
		t.Error("a nil pipeline: no error")
	}
}

// A value that its codec cannot carry is the function's fault, and would be the same each time.
func TestRun_DoesNotRetryForAValueThatCannotBeCarried(t *testing.T) {
	type row struct {
		N    float64
		memo map[string]int
	}
	for name, test := range map[string]struct {
		want string
		add  func(p *Pipeline, attempts *atomic.Int32)
	}{
		"NaN": {"unsupported value: NaN", func(p *Pipeline, attempts *atomic.Int32) {
			Produce(p, "a", func(context.Context) (float64, error) { attempts.Add(1); return math.NaN(), nil })
		}},
		"a field that is not exported": {`field [0].memo: it is not exported and holds something`, func(p *Pipeline, attempts *atomic.Int32) {
			Produce(p, "a", func(context.Context) ([]row, error) {
				attempts.Add(1)
				return []row{{1, map[string]int{"x": 1}}}, nil
			})
		}},
		"text": {`["name"]: the text is not UTF-8`, func(p *Pipeline, attempts *atomic.Int32) {
			Produce(p, "a", func(context.Context) (map[string]string, error) {
				attempts.Add(1)
				return map[string]string{"name": "caf\xe9"}, nil
			})
		}},
		"put": {`put "key"`, func(p *Pipeline, attempts *atomic.Int32) {
			p.Do("a", func(ctx context.Context) error { attempts.Add(1); return Put(ctx, "key", math.Inf(1)) })
		}},
		"get": {`get "key"`, func(p *Pipeline, attempts *atomic.Int32) {
			p.Do("a", func(ctx context.Context) error {
				attempts.Add(1)
				if err := Put(ctx, "key", int64(1<<53+1)); err != nil {
					return err
				}
				_, err := Get[any](ctx, "key")
				return err
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var attempts atomic.Int32
			p := New("p", Retries(3), Backoff{Initial: time.Millisecond, Factor: 1, Max: time.Millisecond})
			test.add(p, &attempts)
			_, err := Run(t.Context(), p, Concurrency(1))
			var failed *StageError
			if !errors.As(err, &failed) || failed.Stage != "a" || !strings.Contains(failed.Message, test.want) || attempts.Load() != 1 {
				t.Errorf("%d attempts, %v; want 1 and an error with %q", attempts.Load(), err, test.want)
			}
		})
	}
}

func TestRun_ReportsOutputsWhole(t *testing.T) {
	type rows struct {
		Total int
		Rows  []int
	}
	p := New("p")
	Produce(p, "large", func(context.Context) (rows, error) { return rows{7, make([]int, 60_000)}, nil })
	report, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	var got rows
	if err := json.Unmarshal(report.Outputs["large"], &got); err != nil || got.Total != 7 || len(got.Rows) != 60_000 {
		t.Errorf("got %d, %d rows, %v", got.Total, len(got.Rows), err)
	}
}
