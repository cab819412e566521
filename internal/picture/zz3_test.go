package picture

import (
	"bufio"
	"bytes"
	"fmt"
	"github.com/godags/godags/dag"
	"io"
	"math/rand"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestXX(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	complete := mk(t, func(b *dag.Builder) {
		var all []string
		for i := range 300 {
			n := fmt.Sprint("n", i)
			b.Add(n, all...)
			all = append(all, n)
		}
	})
	chain := mk(t, func(b *dag.Builder) {
		for i := range 300 {
			if i == 0 {
				b.Add("n0")
				continue
			}
			b.Add(fmt.Sprint("n", i), fmt.Sprint("n", i-1))
		}
	})
	dense := mk(t, random(300, 10, r))
	bip := mk(t, func(b *dag.Builder) {
		var all []string
		for i := range 150 {
			n := fmt.Sprint("a", i)
			b.Add(n)
			all = append(all, n)
		}
		for i := range 150 {
			b.Add(fmt.Sprint("b", i), all...)
		}
	})
	thousand := mk(t, layered(25, 40, 2, r))
	thousandr := mk(t, random(1000, 2, r))
	for name, g := range map[string]*dag.Graph{"complete": complete} {
		_, _, _, _, _ = chain, dense, bip, thousand, thousandr
		s := newSketch(Input{Graph: g}, limits{1000, 100000, 100000})
		t0 := time.Now()
		var buf bytes.Buffer
		w := bufio.NewWriter(&buf)
		drawSVG(w, s)
		w.Flush()
		fmt.Println(name, len(s.nodes), len(s.edges), buf.Len(), time.Since(t0))
		t0 = time.Now()
		for _, f := range writers {
			t1 := time.Now()
			Draw(io.Discard, Input{Graph: g}, f.format)
			fmt.Println("  ", f.format, time.Since(t1))
		}
	}
	var b dag.Builder
	b.Grow(1000000, 3000000)
	t0 := time.Now()
	layered(1000, 1000, 3, r)(&b)
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("built", time.Since(t0))
	for _, f := range writers {
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		t2 := cpu()
		var buf bytes.Buffer
		Draw(&buf, Input{Graph: g, State: func(dag.StageID) dag.State { return dag.Running }}, f.format)
		runtime.ReadMemStats(&m1)
		fmt.Println("  1M", f.format, cpu()-t2, buf.Len(), (m1.TotalAlloc-m0.TotalAlloc)>>20)
	}
}
func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
