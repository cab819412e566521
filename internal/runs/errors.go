package runs

import "github.com/godags/godags/internal/journal"

// Errors of the journal that callers tell apart.
var (
	ErrNotFound = journal.ErrNotFound // Redis does not have the run
	ErrExists   = journal.ErrExists   // the run ID is taken
	ErrDamaged  = journal.ErrDamaged  // the journal of the run cannot be understood
	ErrFenced   = journal.ErrFenced   // another coordinator owns the run
)

// Unreadable reports whether an error about a run is permanent: its journal is damaged, or a newer
// godags wrote it.
func Unreadable(err error) bool { return journal.Unreadable(err) }

// Types of the journal that displays of a run use.
type (
	Entry     = journal.Entry
	AttemptID = journal.AttemptID
)
