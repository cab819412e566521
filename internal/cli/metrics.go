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

// metric is a figure in the form of Prometheus.
type metric struct {
	name, kind, help string
	value            float64
}

// serveMetrics serves the health and counts of a worker or coordinator. Without an address it does
// nothing. An address without a host is on loopback.
func serveMetrics(address string, healthy func() error, metrics func() []metric, logger *slog.Logger) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}

	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usageError("--metrics-addr: %v", err)
	}

	if host == "" {
		host = "127.0.0.1"
	}

	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, usageError("--metrics-addr: %v", err)
	}

	server := &http.Server{Handler: metricsHandler(healthy, metrics), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("metrics server", "error", err)
		}
	}()

	logger.Info("metrics", "url", "http://"+listener.Addr().String()+"/metrics")
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			logger.Warn("metrics server", "error", err)
		}
		<-ended
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
	return withAge(s.LastBeat, "godags_worker_heartbeat_age_seconds", "Time since Redis last took a heartbeat.",
		metric{"godags_worker_attempts_total", "counter", "Attempts that ended, however they ended.", float64(s.Executed)},
		metric{"godags_worker_attempts_failed_total", "counter", "Attempts that failed.", float64(s.Failed)},
		metric{"godags_worker_unhealthy", "gauge", "1 while the worker cannot execute stages and takes none, else 0.", unhealthy},
		metric{"godags_worker_busy", "gauge", "Tasks that are held, each of one or more stages.", float64(s.Busy)})
}

func serverMetrics(s engine.ServerStats) []metric {
	return withAge(s.LastLook, "godags_coordinator_look_age_seconds", "Time since Redis last told which runs nobody drives.",
		metric{"godags_coordinator_runs", "gauge", "Runs that are being driven.", float64(s.Driving)},
		metric{"godags_coordinator_runs_adopted_total", "counter", "Runs that were adopted.", float64(s.Adopted)},
		metric{"godags_coordinator_runs_finished_total", "counter", "Adopted runs that were brought to their end.", float64(s.Finished)})
}

// withAge adds the time since something to metrics, if that has happened yet.
func withAge(last time.Time, name, help string, metrics ...metric) []metric {
	if last.IsZero() {
		return metrics
	}
	return append(metrics, metric{name, "gauge", help, time.Since(last).Seconds()})
}
