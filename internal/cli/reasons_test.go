package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// A person who reads `status` must find what the screen said, word for word. Of one run, every
// stage waits for another reason.
func TestReasons_StatusAndLiveViewSayTheSame(t *testing.T) {
	f := newFixture(t)
	b := spec.Builder{Name: "demo"}
	for _, queue := range []string{"alone", "foreign", "paused", "handlers", "ill"} {
		b.Add(queue, nil, spec.Kind{Task: "train", Queue: queue})
	}
	sp := build(t, &b)
	encoded, err := sp.Encode()
	f.check(err)
	_, err = f.journal.Submit(t.Context(), journal.Submission{Run: "demo-1", Pipeline: sp.Name, Stages: sp.Graph.Len(),
		Digest: spec.Digest(encoded), Spec: encoded, Coordinator: "tester", Lease: driven})
	f.check(err)

	handlers := []string{"other"}
	f.check(f.fleet.PublishHandlers(t.Context(), handlers))
	rdb := f.server.Client()
	f.check(rdb.SAdd(t.Context(), "asynq:queues", "paused@key:").Err())
	f.check(rdb.Set(t.Context(), "asynq:{paused@key:}:paused", 1, 0).Err())
	beat := func() {
		for _, w := range []fleet.Worker{
			{ID: "other-key", Queues: []string{"foreign"}, Slots: 1, Key: "another"},
			{ID: "other-program", Queues: []string{"handlers", "paused"}, Slots: 1, Handlers: fleet.HandlersDigest(handlers)},
			{ID: "ill", Queues: []string{"ill"}, Slots: 1, Unhealthy: "no space left on device"},
		} {
			if err := f.fleet.Heartbeat(context.Background(), w); err != nil {
				t.Error(err)
			}
		}
	}
	beat()
	alive, kill := context.WithCancel(t.Context())
	var beats sync.WaitGroup
	beats.Go(func() {
		for ticker := time.NewTicker(fleet.HeartbeatInterval); alive.Err() == nil; <-ticker.C {
			beat()
		}
	})
	defer beats.Wait()
	defer kill()

	p, _, _ := testProgram(t)
	screen, writer := io.Pipe()
	p.Err = writer
	exit := make(chan int, 1)
	go func() {
		exit <- Main(t.Context(), p, []string{"attach", "demo-1", "--progress", "json", "--redis", f.server.URL()})
		writer.Close()
	}()

	var live []string
	for lines := bufio.NewScanner(screen); len(live) < sp.Graph.Len() && lines.Scan(); {
		var m api.Message
		f.check(json.Unmarshal(lines.Bytes(), &m))
		if m.Type == "waiting" {
			live = append(live, m.Text)
		}
	}
	go io.Copy(io.Discard, screen)

	var status api.Status
	o := f.execute("status", "demo-1", "--output", "json")
	f.check(json.Unmarshal([]byte(o.stdout), &status))
	text := f.execute("status", "demo-1").stdout
	codes := make(map[string]string)
	for _, w := range status.Waiting {
		codes[w.Stage] = w.Reason.Code
		sentence := "1 stage waits: " + w.Reason.Text
		if !slices.ContainsFunc(live, func(said string) bool { return said == sentence || strings.HasPrefix(said, sentence+"; ") }) {
			t.Errorf("the live view does not say %q, but\n%s", sentence, strings.Join(live, "\n"))
		}
	}
	for _, said := range live {
		if !strings.Contains(text, "\n"+said+"\n") {
			t.Errorf("the text of status does not say %q, but\n%s", said, text)
		}
	}
	for stage, want := range map[string]string{"alone": "no_worker", "foreign": "key_mismatch", "paused": "queue_paused", "handlers": "no_worker", "ill": "no_worker"} {
		if codes[stage] != want {
			t.Errorf("the reason of %s is %q, want %q", stage, codes[stage], want)
		}
	}

	for s := range sp.Graph.Len() {
		f.succeed("demo-1", sp.Graph.Topological()[s], "", "")
	}
	f.finish("demo-1")
	if code := <-exit; code != 0 {
		t.Errorf("attach exits with %d", code)
	}
}
