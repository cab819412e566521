// Package languages is a pipeline whose stages are written in Go, in shell and in Python, and pass
// data on to each other.
//
//	text (Go) --> words (shell) --> count (Python) --> report (Go)
//
// A command finds what earlier stages have made in $GODAGS_INPUTS/<stage>, and leaves its own
// output in $GODAGS_OUTPUT. It needs sh, tr and python3 where the worker is.
package languages

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/godags/godags"
	"github.com/godags/godags/cache"
)

//go:embed count.py
var count string

const words = `tr -cs A-Za-z '\n' < "$GODAGS_INPUTS/text" | tr A-Z a-z > "$GODAGS_OUTPUT"`

// Pipeline returns the pipeline "languages".
func Pipeline() *godags.Pipeline {
	p := godags.New("languages")
	godags.NewParam(p, "top", 3) // count.py reads it as $GODAGS_PARAM_TOP

	// bare text, without the quotes of JSON
	text := godags.Produce(p, "text", text, godags.Codec(cache.Raw))
	words := p.Command("words", godags.Command{Run: words}, godags.After(text))
	counts := p.Command("count", godags.Command{Shell: []string{"python3", "-c"}, Run: count}, godags.After(words))
	godags.Then(p, "report", report, counts)
	return p
}

func text(context.Context) (string, error) {
	return "The queue is Asynq, the state is ours. The journal is the run.\n", nil
}

// report reads what Python has written.
func report(ctx context.Context, counts []byte) (string, error) {
	var top []struct {
		Word string
		N    int
	}
	if err := json.Unmarshal(counts, &top); err != nil {
		return "", fmt.Errorf("counts: %w", err)
	}

	report := ""
	for _, c := range top {
		report += fmt.Sprintf("%s %d\n", c.Word, c.N)
	}

	godags.Printf(ctx, "%s", report)
	return report, nil
}
