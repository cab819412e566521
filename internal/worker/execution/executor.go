// Package execution executes single attempts of stages.
//
// An [Executor] belongs to a worker. It opens the batches that are delivered to the worker; a
// [Batch] makes an [Attempt] for each stage that is to be executed. [Attempt.Execute] evaluates the
// condition of the stage, calls its handler, stores its output and returns the outcome. Claims and
// reports are not its concern: see package delivery.
package execution

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/godags/godags/internal/command"
	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// Config says how a worker executes attempts. All fields but User are needed.
type Config struct {
	Worker   string // its ID
	Journal  *journal.Journal
	Key      sign.Key // signs outputs
	Registry *tasks.Registry
	Stores   *values.Stores
	Logger   *slog.Logger
	User     *command.User // as whom commands of stages run; nil is the user of this process
	Health   Health
}

// Health is told what attempts reveal about the worker itself.
type Health interface {
	// Check returns an error if the worker can execute no stage.
	Check() error
	// Fail says that an attempt has failed because the worker can execute no stage.
	Fail(error)
	// Executed says that a stage was executed.
	Executed()
}

// Executor executes attempts. It is safe for concurrent use.
type Executor struct {
	Config
	pipelines *pipelines
	lists     lists

	executed, failed atomic.Int64
}

// NewExecutor returns an executor that has not executed anything.
func NewExecutor(cfg Config) *Executor {
	return &Executor{Config: cfg, pipelines: newPipelines(cfg.Journal)}
}

// Executed returns how many attempts have ended, and how many of them failed.
func (x *Executor) Executed() (total, failed int64) { return x.executed.Load(), x.failed.Load() }

// owner returns whose fault it is that an attempt has failed.
func (x *Executor) owner(err error) fault.Owner {
	owner := fault.OwnerOf(err)
	_, exited := errors.AsType[*tasks.ExitError](err)

	// Only for errors that a fault of the worker may explain: the check starts a process.
	if owner == fault.Stage && (exited || fault.Exhausted(err)) {
		// What runs inside the stage may be the first to meet a fault that every stage would meet,
		// such as a full disk. If the stage itself had used up the resource, it has freed it by
		// now.
		if lack := x.Health.Check(); lack != nil {
			owner = fault.Worker
			err = lack
		}
	}

	if owner == fault.Worker {
		x.Health.Fail(err)
	}
	return owner
}
