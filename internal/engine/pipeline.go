package engine

import (
	"fmt"
	"maps"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// Pipeline is a pipeline written in Go: its stages, and the functions that execute them.
type Pipeline struct {
	Spec     *spec.Spec
	Handlers map[string]tasks.Handler // by task
	Caches   map[string]cache.Cache   // by task; only where the pipeline chooses one
}

// Collect returns a registry of all that the pipelines and the built-in tasks can do, and the
// caches that they chose.
func Collect(pipelines ...Pipeline) (*tasks.Registry, map[string]cache.Cache, error) {
	registry := tasks.NewRegistry()
	caches := make(map[string]cache.Cache)
	for _, p := range pipelines {
		for name, handler := range p.Handlers {
			if err := registry.Register(name, handler); err != nil {
				return nil, nil, fmt.Errorf("pipeline %q: %w", p.Spec.Name, err)
			}
		}
		maps.Copy(caches, p.Caches)
	}

	return registry, caches, nil
}
