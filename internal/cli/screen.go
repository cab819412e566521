package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/view"
)

var progressFlag = &ucli.StringFlag{Name: "progress", Value: "auto", EnvVars: []string{"GODAGS_PROGRESS"}, Usage: "`VIEW` of the run on standard error: auto, tty, plain, json, quiet"}

type screen struct{ quiet bool }

func (p Program) newScreen(c *ucli.Context) (*screen, error) {
	return &screen{c.String("progress") == "quiet"}, nil
}
func (s *screen) logger() *slog.Logger  { return slog.New(slog.NewTextHandler(os.Stderr, nil)) }
func (s *screen) begin(*engine.Session) {}
func (s *screen) Close()                {}
func (s *screen) observe(r *view.Run, e journal.Entry) {
	if s.quiet {
		return
	}
	for _, rec := range e.Records {
		fmt.Fprintln(os.Stderr, rec.Type, r.Spec.Graph.Name(rec.Stage), rec.Note, rec.Text, e.Worker)
	}
}
func (s *screen) unserved([]coordinator.Unserved) {}
func (s *screen) stopping(sig os.Signal, grace time.Duration) {
	fmt.Fprintln(os.Stderr, "stopping", sig)
}
func (p Program) summary(ctx context.Context, c *ucli.Context, session *engine.Session, run *view.Run, outputs map[string]json.RawMessage) {
}
