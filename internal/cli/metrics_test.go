package cli

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/worker"
)

func TestNothingHasAnAgeBeforeItHasHappened(t *testing.T) {
	for what, ages := range map[string]func(last time.Time) []metric{
		"godags_worker_heartbeat_age_seconds": func(last time.Time) []metric { return workerMetrics(worker.Stats{LastBeat: last}) },
		"godags_coordinator_scan_age_seconds": func(last time.Time) []metric { return serverMetrics(engine.ServerStats{LastScan: last}) },
	} {
		for last, want := range map[time.Time]bool{{}: false, time.Now(): true} {
			page := httptest.NewRecorder()
			metricsHandler(nil, func() []metric { return ages(last) }).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
			if got := strings.Contains(page.Body.String(), "\n"+what+" "); got != want {
				t.Errorf("after %v, %s is told: %v, want %v; the page:\n%s", last, what, got, want, page.Body)
			}
		}
	}
}

func TestACoordinatorThatHasNotLookedYetIsNotHealthy(t *testing.T) {
	server := new(engine.Session).NewServer(engine.ServeOptions{})
	if err := server.Healthy(); err == nil || err.Error() != "no answer from Redis yet" {
		t.Errorf("got %v", err)
	}
}
