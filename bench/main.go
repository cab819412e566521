// Command bench measures godags beside raw Asynq, ninja, make and other runners of task graphs, on
// the same machine in the same run, and prints one table. It needs Linux, Go and redis-server, and
// leaves out what else is not installed.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		play(os.Args[1])
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, parse()))
}

// play does what this program calls itself for. It returns if that is nothing.
func play(role string) {
	switch {
	case role == programRole:
		program()
	case role == asynqRole && len(os.Args) == 4:
		exit(serveAsynq(os.Args[2], os.Args[3]))
	case role == driveRole && len(os.Args) == 5:
		exit(drive(os.Args[2], os.Args[3], os.Args[4]))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// config is what the flags say.
type config struct {
	root          string
	repeat, peers int
	full          bool
	only          *regexp.Regexp
	from          string
	json, page    string
}

func parse() (c config) {
	c.only = regexp.MustCompile("")
	flag.StringVar(&c.root, "root", ".", "`folder` of godags' go.mod")
	flag.IntVar(&c.repeat, "n", 5, "take `N` samples of everything")
	flag.IntVar(&c.peers, "peers", 3, "take at most `N` samples of Celery, RQ, Dask and BullMQ, which take long")
	flag.BoolVar(&c.full, "full", os.Getenv("BENCH_FULL") == "1", "measure pipelines of a million stages too; as does BENCH_FULL=1")
	flag.Func("only", "run only the experiments whose name matches `EXPRESSION`", func(text string) (err error) {
		c.only, err = regexp.Compile(text)
		return err
	})
	flag.StringVar(&c.from, "from", "", "measure nothing, use the results in a `FILE` written by -json")
	flag.StringVar(&c.json, "json", "", "write the results to `FILE`")
	flag.StringVar(&c.page, "write", "", "put the results into the page `FILE`.md, and a chart of them into FILE.svg")
	flag.Parse()
	if flag.NArg() > 0 || c.repeat < 1 || c.peers < 0 {
		flag.Usage()
		os.Exit(2)
	}

	return c
}

func run(ctx context.Context, c config) error {
	report, err := c.results(ctx)
	if err != nil {
		return err
	}

	if err := report.print(os.Stdout); err != nil {
		return err
	}

	if c.json != "" {
		err = report.save(c.json)
	}

	if c.page != "" {
		err = errors.Join(err, report.writePage(c.page))
	}

	if len(report.Failed) > 0 {
		err = errors.Join(err, errors.New("not everything could be measured"))
	}

	return err
}

func (c config) results(ctx context.Context) (*report, error) {
	if c.from != "" {
		return readReport(c.from)
	}
	return c.measure(ctx)
}

// measure takes all samples.
func (c config) measure(ctx context.Context) (r *report, err error) {
	begin := time.Now()
	r = &report{Begun: begin.UTC().Truncate(time.Second), Full: c.full, Repeat: c.repeat}
	if err := r.describe(ctx, c.root); err != nil {
		return nil, err
	}

	l, err := openLab(ctx, c.root)
	if err != nil {
		return nil, err
	}

	defer func() { err = errors.Join(err, l.close()) }()
	peers, err := l.findPeers(ctx, c.peers)
	if err != nil {
		return nil, err
	}

	for _, p := range peers {
		r.Versions[p.who] = cmp.Or(p.version, "not found")
	}

	for _, e := range l.experiments(peers, c.full) {
		if c.only.MatchString(e.name) {
			e.measure(ctx, r, os.Stderr)
		}
	}

	r.Seconds = time.Since(begin).Seconds()
	return r, context.Cause(ctx)
}
