package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/owned"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/version"
)

func defineDoctor(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "doctor", Usage: "check what runs need: Redis and its settings, the key, workers, clocks, the state folder",
		Description: "It exits with 0 if runs work, with 1 if something is wrong with Redis, and with 3 if Redis is unreachable.",
		Flags:       []ucli.Flag{redisFlag(), homeFlag(), outFlag(), colorFlag()},
		Action:      p.action(doctor),
	}
}

func doctor(i invocation) error {
	if err := i.noArguments(); err != nil {
		return err
	}

	form, err := i.form()
	if err != nil {
		return err
	}

	ctx, stop := untilSignal(i.c.Context)
	defer stop()

	d := &diagnosis{invocation: i, Checks: []check{{"version", redisx.OK, versionLine(), ""}}}

	// Before the connection, which creates the state folder.
	d.checkHome(i.home())
	d.checkServer(i.c.String("redis") == "")
	d.checkRedis(ctx)
	d.OK = !slices.ContainsFunc(d.Checks, func(c check) bool { return c.Level == redisx.Error })

	// An interrupted diagnosis would blame Redis for checks that the user has stopped.
	var sig interrupted
	if errors.As(context.Cause(ctx), &sig) {
		return &exitError{code: sig.code()}
	}

	err = i.print(func(out *bufio.Writer) error { return d.print(out, form) })
	return errors.Join(err, d.verdict())
}

// diagnosis is the result of doctor.
type diagnosis struct {
	Checks []check `json:"checks"`
	OK     bool    `json:"ok"` // no check has an error

	invocation invocation
	err        error // why Redis cannot be used at all
}

type check struct {
	Name  string       `json:"check"`
	Level redisx.Level `json:"level"`
	What  string       `json:"what"`
	Fix   string       `json:"fix,omitempty"`
}

func (d *diagnosis) add(name string, level redisx.Level, what, fix string) {
	d.Checks = append(d.Checks, check{name, level, what, fix})
}

func (d *diagnosis) verdict() error {
	switch {
	// The error itself is among the checks, so only its exit code is passed on.
	case d.err != nil:
		return &exitError{code: classify(d.err)}
	case !d.OK:
		return &exitError{code: exitFailed}
	}
	return nil
}

func (d *diagnosis) print(out *bufio.Writer, form form) error {
	if form.json {
		return printJSON(out, d)
	}

	margin := strings.Repeat(" ", len("warning  version  "))
	for _, c := range d.Checks {
		padding := strings.Repeat(" ", len(redisx.Warning)-len(c.Level))
		form.paragraph(out, fmt.Sprintf("%s%s  %-7s  ", form.state(string(c.Level)), padding, c.Name), margin, printable(c.What))
		if c.Fix != "" {
			form.paragraph(out, margin[3:]+"-> ", margin, printable(c.Fix))
		}
	}

	return nil
}

// checkHome checks the state folder.
func (d *diagnosis) checkHome(home string) {
	if absolute, err := filepath.Abs(home); err == nil {
		home = absolute
	}

	// Problems are warnings: with --redis no command needs the folder.
	info, err := os.Stat(home)
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.add("home", redisx.OK, home+" does not exist yet: the first command that needs it creates it", "")
	case err != nil:
		d.add("home", redisx.Warning, err.Error(), "choose another with --home or GODAGS_HOME")
	case !info.IsDir():
		d.add("home", redisx.Warning, home+" is not a folder", "choose another with --home or GODAGS_HOME")
	case owned.CheckFolder(home) != nil:
		d.add("home", redisx.Warning, owned.CheckFolder(home).Error(), "choose another with --home or GODAGS_HOME")
	// The folder has the key, and the socket of a private Redis.
	case info.Mode().Perm()&0o077 != 0:
		d.add("home", redisx.Warning, home+" is readable by other users", "make it private (chmod 700), or choose another with --home or GODAGS_HOME")
	default:
		d.add("home", redisx.OK, home+" exists and is private", "")
	}
}

// checkServer looks for the program that a private Redis needs.
func (d *diagnosis) checkServer(needed bool) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			d.add("server", redisx.OK, path+" is on PATH", "")
			return
		}
	}

	// Only a warning, since the embedded Redis takes its place.
	if needed {
		d.add("server", redisx.Warning, "no redis-server on PATH: runs do not survive the command that starts them", "install redis-server, or give --redis URL")
		return
	}

	d.add("server", redisx.OK, "no redis-server on PATH, and none is needed: --redis or REDIS_URL names a Redis", "")
}

func (d *diagnosis) checkRedis(ctx context.Context) {
	session, err := d.invocation.connect(ctx, slog.New(slog.NewTextHandler(d.invocation.Err, nil)), 0)
	if err == nil {
		d.add("redis", redisx.OK, session.Conn.Note, "")
		err = errors.Join(d.checkSession(ctx, session), session.Close())
	}
	if err == nil {
		return
	}

	d.err = err
	var unreachable *redisx.UnreachableError
	if !errors.As(err, &unreachable) {
		d.add("redis", redisx.Error, err.Error(), "")
		return
	}

	// The parts are printed apart: the error text would put the remedy in the middle of a log.
	what := unreachable.Reason
	if unreachable.URL != "" {
		what = unreachable.URL + ": " + what
	}

	if unreachable.Log != "" {
		what += "\nthe last lines of its log:\n" + unreachable.Log
	}

	d.add("redis", redisx.Error, what, unreachable.Fix)
}

func (d *diagnosis) checkSession(ctx context.Context, s *engine.Session) error {
	findings, err := redisx.Check(ctx, s.Conn.Client())
	if err != nil {
		return err
	}

	// Wrong settings of Redis do not end the diagnosis: the other checks are still of use.
	for _, f := range findings {
		d.add("redis", f.Level, f.What, f.Fix)
	}

	// Connecting was refused without that variable, so the user has allowed it on purpose.
	if s.Conn.Exposed() {
		d.add("redis", redisx.Warning, "the password is sent to another machine without TLS", "use rediss://, and unset GODAGS_ALLOW_PLAINTEXT")
	}

	if err := d.checkUser(ctx, s); err != nil {
		return err
	}
	if err := d.checkClock(ctx, s); err != nil {
		return err
	}

	d.checkKey(s)
	if err := d.checkWorkers(ctx, s); err != nil {
		return err
	}
	if err := d.checkQueues(ctx, s); err != nil {
		return err
	}

	return d.checkCoordinators(ctx, s)
}

// checkUser checks the permissions of the user of an external Redis.
func (d *diagnosis) checkUser(ctx context.Context, s *engine.Session) error {
	// A private Redis has no users but the owner of its folder.
	if !s.External() {
		return nil
	}

	denied, err := s.Journal.Denied(ctx)
	if err != nil {
		return err
	}
	if len(denied) > 0 {
		d.add("redis", redisx.Warning, "this user may not "+some(denied)+": it can be a worker at most", "docs/security.md lists the rules that a coordinator needs")
		return nil
	}

	d.add("redis", redisx.OK, "this user has the permissions of a coordinator", "")
	return nil
}

// checkKey checks that there is a key, which signs specs and tasks.
func (d *diagnosis) checkKey(s *engine.Session) {
	key, err := s.Key()
	if err != nil {
		d.add("key", redisx.Error, err.Error(), "no run is possible without a key: docs/security.md says where keys come from")
		return
	}
	d.add("key", redisx.OK, key.Fingerprint()+" signs specs, tasks and outputs", "")
}

// clockSlack is how much the clocks of this machine and of Redis may differ without a warning. Only
// times that people read depend on it.
const clockSlack = 2 * time.Second

// checkClock measures the latency of Redis, and compares its clock with that of this machine.
func (d *diagnosis) checkClock(ctx context.Context, s *engine.Session) error {
	var best, ahead time.Duration
	for i := range 5 { // the best of five: the first call may have to open a connection
		begin := time.Now()
		theirs, err := s.Conn.Client().Time(ctx).Result()
		if err != nil {
			return fmt.Errorf("read the clock of Redis: %w", err)
		}

		// The fastest call bounds the error of the clock comparison best: half its time.
		took := time.Since(begin)
		if i == 0 || took < best {
			best = took
			ahead = theirs.Sub(begin.Add(took / 2))
		}
	}

	d.add("redis", redisx.OK, fmt.Sprintf("it answers in %s", best.Round(time.Microsecond)), "")
	if ahead.Abs() < clockSlack {
		d.add("clock", redisx.OK, fmt.Sprintf("it differs from the clock of Redis by %s", ahead.Abs().Round(time.Millisecond)), "")
		return nil
	}

	d.add("clock", redisx.Warning, fmt.Sprintf("it differs from the clock of Redis by %s: shown times are wrong by that much", ahead.Abs().Round(time.Millisecond)),
		"synchronise both with NTP")
	return nil
}

// compare finds live workers that cannot execute the stages of this program, or may not be able to.
func (d *diagnosis) compare(workers []runs.Worker, s *engine.Session) {
	var mismatched, other, unhealthy []string
	key, err := s.Key()
	for _, w := range workers {
		// Workers of one run belong to the command that started them, which may use another key.
		if w.Alive() && err == nil && w.Run == "" && w.Key != key.Fingerprint() {
			mismatched = append(mismatched, fmt.Sprintf("%s (%s)", w.ID, w.Key))
		}

		if w.Alive() && w.Unhealthy != "" {
			unhealthy = append(unhealthy, fmt.Sprintf("%s (%s)", w.ID, w.Unhealthy))
		}

		// Another version is not an error: a worker requeues tasks of a format that it cannot read.
		if w.Alive() && w.Version != version.String() {
			other = append(other, fmt.Sprintf("%s (%s)", w.ID, w.Version))
		}
	}

	if len(mismatched) > 0 {
		d.add("workers", redisx.Warning, "they have another key, and refuse stages of runs that are submitted here: "+some(mismatched),
			"set the same GODAGS_KEY there and here")
	}

	if len(unhealthy) > 0 {
		d.add("workers", redisx.Warning, "they take no stages, because they cannot execute any: "+some(unhealthy), "repair that on their machines; they continue without a restart")
	}

	if len(other) > 0 {
		d.add("workers", redisx.Warning, fmt.Sprintf("they have another version than %s: %s", version.String(), some(other)), "use the same version everywhere")
	}
}

// some joins the first elements of a list.
func some(list []string) string {
	if n := len(list) - shownNames; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:shownNames], ", "), n)
	}
	return strings.Join(list, ", ")
}

func (d *diagnosis) checkWorkers(ctx context.Context, s *engine.Session) error {
	workers, err := runs.New(s).Workers(ctx)
	if err != nil {
		return err
	}

	alive := 0
	slots := 0
	for _, w := range workers {
		if w.Alive() {
			alive++
			// An unhealthy worker is alive, but takes no stages.
			if w.Unhealthy == "" {
				slots += w.Slots
			}
		}
	}

	d.compare(workers, s)
	switch {
	case alive > 0:
		d.add("workers", redisx.OK, fmt.Sprintf("%s, %s (%s lists them)", count(alive, "live worker", "live workers"),
			count(slots, "slot", "slots"), d.invocation.hint("workers", nil)), "")
	// A run on an external Redis starts workers only with --workers.
	case s.External():
		d.add("workers", redisx.Warning, "no live worker: a run would wait for one", fmt.Sprintf("start one with %s, or let a run start its own with --workers", d.invocation.hintWorker(spec.DefaultQueue)))
	default:
		d.add("workers", redisx.OK, "no live worker: a run starts its own", "")
	}

	return nil
}

// checkQueues finds paused queues.
func (d *diagnosis) checkQueues(ctx context.Context, s *engine.Session) error {
	paused, err := s.PausedQueues(ctx)
	if err != nil {
		return err
	}
	for _, q := range paused {
		d.add("queues", redisx.Warning, fmt.Sprintf("queue %s (%s) is paused: no worker takes stages from it", q.Name, q.Of), resumeQueue(q.Key))
	}
	return nil
}

// resumeQueue says how to resume a paused queue.
func resumeQueue(key string) string {
	return "resume it in asynqmon, or delete the key " + key + " in Redis"
}

// checkCoordinators lists the coordinators that serve. None is needed.
func (d *diagnosis) checkCoordinators(ctx context.Context, s *engine.Session) error {
	list, err := s.Fleet.Coordinators(ctx)
	if err != nil || !s.External() {
		return err
	}

	names := make([]string, len(list))
	for i, coordinator := range list {
		names[i] = coordinator.ID
	}

	// Not a warning: a run drives itself unless it was submitted with --detach.
	what := fmt.Sprintf("no coordinator serves: a run whose command dies must be resumed with %s", d.invocation.hint("resume", []string{"RUN"}))
	if len(list) > 0 {
		what = fmt.Sprintf("%s (%s)", count(len(list), "coordinator serves", "coordinators serve"), strings.Join(names, ", "))
	}

	d.add("serve", redisx.OK, what, "")
	return nil
}
