package godags

import "github.com/godags/godags/cache"

// Option sets something of a stage. Given to [New], it is the default of all stages of the pipeline.
type Option func(*options)

type options struct {
	cache cache.Cache // nil for the run's
	codec cache.Codec
	queue string
}

// Values chooses where a stage's output, and what it stores with [Put], live: [cache.Redis], [cache.Disk], [cache.Memory], or your own.
// The default is the Redis of the run. Stages that exchange values by key must use the same cache. A cache in
// memory is seen by one process only.
func Values(c cache.Cache) Option { return func(o *options) { o.cache = c } }

// Codec chooses how a stage's values become bytes: [cache.JSON] (the default), [cache.Gob], [cache.Raw], or your own.
func Codec(c cache.Codec) Option { return func(o *options) { o.codec = c } }

// Queue sends a stage to workers that listen to the named queue, such as "gpu". The default is "default".
// The name has up to 100 letters, digits, '.', '_' and '-'.
func Queue(name string) Option { return func(o *options) { o.queue = name } }
