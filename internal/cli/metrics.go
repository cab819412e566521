package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/worker"
)

// metric is one value in the text format of Prometheus.
type metric struct {
	name, kind, help string
	value            float64
}

// serveMetrics serves the health and metrics of a worker or coordinator. Without an address it does
// nothing.
func serveMetrics(address string, healthy func() error, metrics func() []metric, logger *slog.Logger) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}

	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usageError("--metrics-addr: %v", err)
	}

	// Metrics have no authentication: other machines can read them only if the user asks for it.
	if host == "" {
		host = "127.0.0.1"
	}

	// Before the goroutine, so that an address in use ends the command with wrong usage.
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, usageError("--metrics-addr: %v", err)
	}

	// Without the timeout, clients that send nothing would hold connections for ever.
	server := &http.Server{Handler: metricsHandler(healthy, metrics), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("serve metrics", "error", err)
		}
	}()

	logger.Info("metrics served", "url", "http://"+listener.Addr().String()+"/metrics")
	return func() {
		// A slow scraper must not delay the exit of the worker.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			logger.Warn("stop serving metrics", "error", err)
		}
		<-done
	}, nil
}

func metricsHandler(healthy func() error, metrics func() []metric) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		if err := healthy(); err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(rw, "ok")
	})

	mux.HandleFunc("GET /metrics", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4")
		for _, m := range metrics() {
			fmt.Fprintf(rw, "# HELP %s %s\n# TYPE %s %s\n%s %g\n", m.name, m.help, m.name, m.kind, m.name, m.value)
		}
	})

	return mux
}

func workerMetrics(s worker.Stats) []metric {
	unhealthy := 0.0
	if s.Unhealthy {
		unhealthy = 1
	}
	return withAge(s.LastBeat, "godags_worker_heartbeat_age_seconds", "Seconds since the last heartbeat that Redis accepted.",
		metric{"godags_worker_attempts_total", "counter", "Attempts that finished, with any outcome.", float64(s.Executed)},
		metric{"godags_worker_attempts_failed_total", "counter", "Attempts that failed.", float64(s.Failed)},
		metric{"godags_worker_unhealthy", "gauge", "1 while the worker cannot execute stages and takes none, or else 0.", unhealthy},
		metric{"godags_worker_busy", "gauge", "Batches in progress, each of one or more stages.", float64(s.Busy)})
}

func serverMetrics(s engine.ServerStats) []metric {
	return withAge(s.LastScan, "godags_coordinator_scan_age_seconds", "Seconds since the last successful scan for runs without a coordinator.",
		metric{"godags_coordinator_runs", "gauge", "Runs that this coordinator owns.", float64(s.Driving)},
		metric{"godags_coordinator_runs_adopted_total", "counter", "Runs that this coordinator has adopted.", float64(s.Adopted)},
		metric{"godags_coordinator_runs_finished_total", "counter", "Adopted runs that have finished.", float64(s.Finished)})
}

// withAge adds a metric with the seconds since an event, unless there was none yet.
func withAge(last time.Time, name, help string, metrics ...metric) []metric {
	// An age since the year 1 would raise every alert on it.
	if last.IsZero() {
		return metrics
	}
	return append(metrics, metric{name, "gauge", help, time.Since(last).Seconds()})
}
