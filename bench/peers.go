package main

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// scripts run a pipeline file once with another runner, on two worker processes, and print how long
// that took.
//
//go:embed peers/bench_*
var scripts embed.FS

// peer is another runner of task graphs, measured by a script.
type peer struct {
	who string
	// program and script; its arguments are the URL of a Redis and a pipeline file, or "version"
	command []string
	version string
	lacks   string // why it cannot be measured here
	most    int    // samples
	trees   bool   // it runs nothing else
}

// What the environment says of peers.
const (
	// a Python that has celery, rq or distributed; default: python3
	pythonVariable = "BENCH_PYTHON"
	// a folder node_modules with bullmq
	nodeVariable = "BENCH_NODE_MODULES"
)

// peerTime is how long a peer may take for one sample, with the start of its workers.
const peerTime = 90 * time.Second

// findPeers says which peers there are. Each is to be sampled so many times at the most.
func (l *lab) findPeers(ctx context.Context, most int) (peers []peer, err error) {
	// The scripts are in the program, so that it can be started in any folder.
	if err := os.CopyFS(l.folder, scripts); err != nil {
		return nil, err
	}

	folder, python := filepath.Join(l.folder, "peers"), cmp.Or(os.Getenv(pythonVariable), "python3")
	for _, p := range []struct{ who, module string }{{"Celery", "celery"}, {"RQ", "rq"}, {"Dask", "distributed"}} {
		peers = append(peers, peer{who: p.who, command: []string{python, filepath.Join(folder, "bench_"+p.module+".py")},
			lacks: fmt.Sprintf("%s cannot import %s: set %s to a Python that can", python, p.module, pythonVariable)})
	}

	peers = append(peers, peer{who: "BullMQ", trees: true, command: []string{"node", filepath.Join(folder, "bench_bullmq.js")},
		lacks: fmt.Sprintf("node finds no bullmq: set %s to a folder node_modules that has it", nodeVariable)})
	for i := range peers {
		p := &peers[i]
		p.most = most
		// The script imports its library to print the version, so this is also the test that it
		// can.
		if version, err := p.call(ctx, "version"); err == nil {
			p.version, p.lacks = strings.TrimSpace(version), ""
		}

		if most == 0 {
			p.lacks = "not asked for"
		}
	}

	return peers, nil
}

func (p peer) call(ctx context.Context, args ...string) (string, error) {
	env := []string{"NODE_PATH=" + os.Getenv(nodeVariable)}
	text, _, err := execute(ctx, filepath.Dir(p.command[1]), env, p.command[0], append(p.command[1:2:2], args...)...)
	return text, err
}

// errSlow is no failure of ours.
var errSlow = fmt.Errorf("not done within %.0f s", peerTime.Seconds())

// time is how long the peer takes for a pipeline file, by its own clock: its workers have been
// started before.
func (p peer) time(ctx context.Context, l *lab, file string) (seconds float64, err error) {
	err = l.inWorld(ctx, func(w *world) error {
		ctx, cancel := context.WithTimeoutCause(ctx, peerTime, errSlow)
		defer cancel()

		// Its own clock, since the start of an interpreter is no part of a run.
		text, err := p.call(ctx, w.url(), file)
		if err != nil {
			return err
		}

		if err := json.Unmarshal([]byte(text), &seconds); err != nil {
			return fmt.Errorf("%s: %w: %.200q", p.command[1], err, text)
		}

		return nil
	})
	return seconds, err
}

// side returns the peer as a side of an experiment.
func (p peer) side(l *lab, file pipeline, read reading) side {
	return side{who: p.who, lacks: p.lacks, most: p.most, sample: func(ctx context.Context) ([]figure, error) {
		path, err := l.file(file)
		if err != nil {
			return nil, err
		}
		seconds, err := p.time(ctx, l, path)
		return read(seconds), err
	}}
}

// graphs is peers for a graph that is no tree.
func graphs(peers []peer) []peer {
	peers = slices.Clone(peers)
	for i := range peers {
		if peers[i].trees && peers[i].lacks == "" {
			peers[i].lacks = "layers cannot be expressed, only trees"
		}
	}
	return peers
}
