package journal

import "context"

// Control tells a worker what to do with an attempt that it executes.
type Control int64

// The controls.
const (
	Continue Control = 0
	Stop     Control = 1 // the run is being cancelled: stop the attempt and report that
	Revoked  Control = 2 // the claim is void: stop the attempt, a report would be refused
)

// Check returns the controls of attempts that were claimed with the token.
func (j *Journal) Check(ctx context.Context, run RunID, token Token, attempts []AttemptID) ([]Control, error) {
	args := append(make([]any, 0, 1+2*len(attempts)), token[:])
	for _, a := range attempts {
		args = append(args, uint32(a.Stage), uint16(a.Attempt))
	}

	flags, err := j.flags(ctx, checkScript, run, []string{j.key(run, "run"), j.key(run, "fence")}, len(attempts), args)
	controls := make([]Control, len(flags))
	for i, f := range flags {
		controls[i] = Control(f)
	}
	return controls, err
}
