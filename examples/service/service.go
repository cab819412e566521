// Package service is an HTTP service that runs a pipeline for its users. It submits runs, shows
// them and cancels them, and it executes their stages in the same process: the only other part is a
// Redis.
//
//	curl -X POST 'localhost:8080/reports?city=Oslo'      submit a run; answers with its ID
//	curl localhost:8080/reports/ID                       show what runs, what waits and why
//	curl -X DELETE localhost:8080/reports/ID             cancel it
package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/godags/godags"
)

// Pipeline returns the pipeline "report": it measures a city and writes a report about it.
func Pipeline() *godags.Pipeline {
	p := godags.New("report")
	city := godags.NewParam[string](p, "city")

	measure := godags.Produce(p, "measure", func(ctx context.Context) (int, error) {
		name, err := city.Get(ctx)
		if err != nil {
			return 0, err
		}
		godags.Log(ctx).Info("measuring", "city", name)
		return len(name), nil
	})

	godags.Then(p, "write", func(ctx context.Context, letters int) (string, error) {
		name, err := city.Get(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s has %d letters.", name, letters), nil
	}, measure)

	return p
}

// Service answers HTTP requests about reports.
type Service struct {
	client   *godags.Client
	pipeline *godags.Pipeline
}

// New returns the service of a client.
func New(client *godags.Client) *Service { return &Service{client, Pipeline()} }

// Work coordinates runs and executes their stages until ctx is done. Running stages are then
// finished first.
func (s *Service) Work(ctx context.Context) error {
	coordinated := make(chan error, 1)
	go func() { coordinated <- s.client.Coordinator().Run(ctx) }()
	return errors.Join(s.client.Worker(s.pipeline).Run(ctx), <-coordinated)
}

// Handler returns the routes of the service.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reports", s.submit)
	mux.HandleFunc("GET /reports/{id}", s.show)
	mux.HandleFunc("DELETE /reports/{id}", s.cancel)
	return mux
}

func (s *Service) submit(w http.ResponseWriter, r *http.Request) {
	city := strings.TrimSpace(r.URL.Query().Get("city"))
	if city == "" {
		http.Error(w, "give a city: POST /reports?city=Oslo", http.StatusBadRequest)
		return
	}

	// The request may end before the run does: the client polls the Location.
	id, err := s.client.Submit(r.Context(), s.pipeline, godags.Params(map[string]any{"city": city}))
	if err != nil {
		fail(w, err)
		return
	}

	w.Header().Set("Location", "/reports/"+id)
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintln(w, id)
}

func (s *Service) show(w http.ResponseWriter, r *http.Request) {
	status, err := s.client.Status(r.Context(), r.PathValue("id"))
	if err != nil {
		fail(w, err)
		return
	}

	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(status); err != nil {
		// The status line is sent already. The client sees that the body is cut short.
		return
	}
}

func (s *Service) cancel(w http.ResponseWriter, r *http.Request) {
	if err := s.client.Cancel(r.Context(), r.PathValue("id"), "cancelled over HTTP"); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// fail answers with 404 for a run that does not exist, with 400 for parameters that do not fit, and
// with 500 for everything else, such as a Redis that does not answer.
func fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	var params *godags.ParamError
	switch {
	case errors.Is(err, godags.ErrUnknownRun):
		code = http.StatusNotFound
	case errors.As(err, &params):
		code = http.StatusBadRequest
	}
	http.Error(w, err.Error(), code)
}
