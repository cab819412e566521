package service_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/godags/godags"
	"github.com/godags/godags/examples/service"
	"github.com/godags/godags/internal/redistest"
)

// open starts the service on a Redis of the test. It works until the test ends.
func open(t *testing.T, work bool) (*godags.Client, *httptest.Server) {
	t.Helper()
	t.Setenv("GODAGS_KEY", "the key of these tests")
	client, err := godags.Open(t.Context(), redistest.Start(t).URL(), godags.Concurrency(2))
	if err != nil {
		t.Fatal(err)
	}
	s := service.New(client)
	server := httptest.NewServer(s.Handler())

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	if work {
		go func() { done <- s.Work(ctx) }()
	} else {
		done <- nil
	}
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client, server
}

func call(t *testing.T, method, url string, want int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != want {
		t.Fatalf("%s %s: got %s, want %d: %s", method, url, response.Status, want, body)
	}
	return string(body)
}

func TestService_RunsWhatItIsAskedFor(t *testing.T) {
	client, server := open(t, true)
	id := strings.TrimSpace(call(t, "POST", server.URL+"/reports?city=Oslo", http.StatusAccepted))

	report, err := client.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(report.Outputs["write"]), `"Oslo has 4 letters."`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	var status godags.RunStatus
	if err := json.Unmarshal([]byte(call(t, "GET", server.URL+"/reports/"+id, http.StatusOK)), &status); err != nil {
		t.Fatal(err)
	}
	if status.State != "succeeded" || status.Stages.Succeeded != 2 {
		t.Errorf("got %+v, want two stages that succeeded", status)
	}
}

// No worker runs, so that the run is certainly active when it is cancelled.
func TestService_CancelsARun(t *testing.T) {
	client, server := open(t, false)
	id := strings.TrimSpace(call(t, "POST", server.URL+"/reports?city=Oslo", http.StatusAccepted))
	call(t, "DELETE", server.URL+"/reports/"+id, http.StatusAccepted)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go client.Coordinator().Run(ctx)
	report, err := client.Wait(t.Context(), id)
	if report == nil || report.State != "cancelled" {
		t.Errorf("got %+v, %v; want a cancelled run", report, err)
	}
}

func TestService_RefusesWhatItCannotDo(t *testing.T) {
	_, server := open(t, false)
	call(t, "POST", server.URL+"/reports", http.StatusBadRequest)
	call(t, "GET", server.URL+"/reports/none", http.StatusNotFound)
	call(t, "POST", server.URL+"/reports?city=%ff", http.StatusBadRequest)
}
