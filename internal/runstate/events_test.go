package runstate

import (
	"testing"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// A journal that another program wrote to is shown as far as it can be understood.
func TestEvents_KeepsTextsThatItCannotInterpret(t *testing.T) {
	b := spec.Builder{Name: "p"}
	b.Add("a", nil, spec.Kind{Task: "noop"})
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	r := New("run", sp)
	e := journal.Entry{ID: "1-1", Time: time.Unix(0, 0), Records: []journal.Record{{Type: journal.RunSubmitted, Text: `{"pipe`}}}
	if err := r.Apply(e); err != nil {
		t.Fatal(err)
	}
	want := `{"seq":1,"time":"1970-01-01T00:00:00.000Z","type":"run.submitted","run":"run","text":"{\"pipe"}` + "\n"
	if got := string(r.Events(e, nil)[0].Append(nil)); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}
