// Server runs the service of package service on port 8080 of this machine:
//
//	REDIS_URL=redis://localhost:6379 go run ./examples/service/server
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/godags/godags"
	"github.com/godags/godags/examples/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv("REDIS_URL"), "127.0.0.1:8080"); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, redis, addr string) (err error) {
	client, err := godags.Open(ctx, redis)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	s := service.New(client)
	server := &http.Server{Addr: addr, Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}

	// Requests end before the worker does, so that none submits to a service that is leaving.
	shutDown := context.AfterFunc(ctx, func() { server.Shutdown(context.WithoutCancel(ctx)) })
	defer shutDown()

	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()

	err = s.Work(ctx)
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
