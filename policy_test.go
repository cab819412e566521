package godags_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godags/godags"
)

func TestTimeout_RetriesTheAttempt(t *testing.T) {
	p := godags.New("slow", godags.Retries(2), godags.Backoff{Initial: time.Millisecond, Factor: 1, Max: time.Millisecond})
	var attempts atomic.Int32
	p.Do("slow", func(ctx context.Context) error {
		if attempts.Add(1) > 1 {
			return nil // which takes too long as well if the machine stands still meanwhile
		}
		<-ctx.Done()
		return ctx.Err()
	}, godags.Timeout(200*time.Millisecond))
	report, err := run(t, p)
	mustSucceed(t, report, err)
	if attempts.Load() < 2 {
		t.Errorf("%d attempts", attempts.Load())
	}
}

func TestRunTimeout_CancelsAndCleansUp(t *testing.T) {
	p := godags.New("endless", godags.RunTimeout(50*time.Millisecond))
	var cleaned atomic.Bool
	endless := p.Do("endless", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	p.Do("clean up", func(context.Context) error { cleaned.Store(true); return nil }, godags.Trigger(godags.AllDone)).After(endless)
	p.Do("never", func(context.Context) error { t.Error("it ran"); return nil }).After(endless)
	report, err := run(t, p)
	if report == nil || report.State != "cancelled" || err == nil || report.Stages.Succeeded != 1 || !cleaned.Load() {
		t.Errorf("%+v, cleaned %v, %v", report, cleaned.Load(), err)
	}
}

func TestOnFailureStop_StartsNoFurtherStage(t *testing.T) {
	p := godags.New("stopping", godags.OnFailureStop())
	bad := p.Do("bad", func(context.Context) error { return errors.New("broken") })
	p.Do("later", func(context.Context) error { t.Error("it ran"); return nil }).After(p.Do("after bad", func(context.Context) error { return nil }, godags.Trigger(godags.AnyFailed)).After(bad))
	report, err := run(t, p, godags.Concurrency(1))
	var failed *godags.StageError
	if !errors.As(err, &failed) || failed.Stage != "bad" || report.State != "failed" {
		t.Errorf("%+v %v", report, err)
	}
}

// squares is a pipeline with an instance of f for each of n numbers.
func squares(n int, f func(context.Context, int) (int, error), opts ...godags.MapOption) *godags.Pipeline {
	p := godags.New("squares")
	list := godags.Produce(p, "list", func(context.Context) ([]int, error) {
		list := make([]int, n)
		for i := range list {
			list[i] = i
		}
		return list, nil
	})
	mapped := godags.Map(p, "square", f, list, opts...)
	godags.Then(p, "sum", func(_ context.Context, squares []int) (int, error) {
		sum := 0
		for i, s := range squares {
			if s != i*i && s != 0 {
				return 0, fmt.Errorf("element %d is %d", i, s)
			}
			sum += s
		}
		return sum, nil
	}, mapped)
	return p
}

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func TestMap_KeepsTheOrderOfTheElements(t *testing.T) {
	for n, want := range map[int]string{0: "0", 1: "0", 100: "328350"} {
		report, err := run(t, squares(n, square))
		if report == nil || err != nil || string(report.Outputs["sum"]) != want {
			t.Errorf("%d elements: %+v %v", n, report, err)
		}
	}
}

func TestMap_RetriesInstancesOneByOne(t *testing.T) {
	var attempts atomic.Int32
	report, err := run(t, squares(10, func(ctx context.Context, n int) (int, error) {
		attempts.Add(1)
		info, _ := godags.InfoOf(ctx)
		if want := fmt.Sprint(n); string(info.Item) != want || info.Index != n || info.Stage != "square["+want+"]" {
			return 0, godags.NoRetry(fmt.Errorf("element %d is told %+v", n, info))
		}
		if n%4 == 0 && info.Attempt == 1 {
			return 0, errors.New("not at once")
		}
		return n * n, nil
	}, godags.Retries(1), godags.Backoff{Initial: time.Millisecond, Factor: 1, Max: time.Millisecond}))
	if err != nil || string(report.Outputs["sum"]) != "285" || attempts.Load() != 13 {
		t.Errorf("%+v, %d attempts, %v", report, attempts.Load(), err)
	}
}

func TestMap_AFailedInstanceFailsTheRun(t *testing.T) {
	report, err := run(t, squares(5, func(_ context.Context, n int) (int, error) {
		if n == 3 {
			return 0, errors.New("a bad number")
		}
		return n, nil
	}))
	if report == nil || report.State != "failed" || err == nil || !strings.Contains(err.Error(), `stage "square[3]": a bad number`) {
		t.Errorf("%+v %v", report, err)
	}
}

func TestMap_SkipsInstancesByTheirConditions(t *testing.T) {
	odd := func(ctx context.Context) (bool, error) {
		info, _ := godags.InfoOf(ctx)
		return info.Index%2 == 1, nil
	}
	for name, opt := range map[string]godags.MapOption{"expression": godags.When("item % 2 == 1"), "function": godags.WhenFunc(odd)} {
		report, err := run(t, squares(6, square, opt))
		if err != nil || string(report.Outputs["sum"]) != "35" { // 1 + 9 + 25
			t.Errorf("%s: %+v %v", name, report, err)
		}
	}
}

func TestMaxParallel_LimitsInstances(t *testing.T) {
	var now, most atomic.Int32
	_, err := run(t, squares(30, func(_ context.Context, n int) (int, error) {
		for running := now.Add(1); ; {
			seen := most.Load()
			if running <= seen || most.CompareAndSwap(seen, running) {
				break
			}
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return n * n, nil
	}, godags.MaxParallel(2)), godags.Concurrency(8))
	if err != nil || most.Load() > 2 {
		t.Errorf("%d instances at once, %v", most.Load(), err)
	}
}

func TestPriority_OrdersReadyStages(t *testing.T) {
	p := godags.New("priorities")
	var order []string
	stage := func(name string, opts ...godags.StageOption) *godags.Stage {
		return p.Do(name, func(context.Context) error { order = append(order, name); return nil }, opts...)
	}
	first := stage("first")
	stage("low", godags.Priority(-1)).After(first)
	stage("middle").After(first)
	stage("high", godags.Priority(1)).After(first)
	if _, err := run(t, p, godags.Concurrency(1)); err != nil || !slices.Equal(order, []string{"first", "high", "middle", "low"}) {
		t.Errorf("%q %v", order, err)
	}
}
