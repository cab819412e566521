package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/version"
)

// ServerConfig says how bundles are taken from queues.
type ServerConfig struct {
	// names, each asked as often as the others
	Queues []string
	// whose own queues are meant, or ""
	Run string
	// with which bundles are signed; others are refused
	Key   sign.Key
	Slots int // bundles in work at once
	// calls executed once its slot may go to another bundle
	Handle func(ctx context.Context, b Batch, executed func()) error
	Logger *slog.Logger
}

// Server takes bundles from queues and hands them to a handler. A bundle whose handler returns an
// error is delivered again.
type Server struct {
	cfg      ServerConfig
	rdb      redis.UniversalClient
	asynq    *asynq.Server
	names    map[string]string // of the queues, by the names that they have in Redis
	hook     *hook
	wake     chan struct{}
	stop     chan struct{} // closed first when the server stops
	cancel   context.CancelFunc
	once     sync.Once
	listener sync.WaitGroup

	client      *asynq.Client // returns tasks that this worker cannot read
	newerLogged atomic.Int64  // when that was logged last, in nanoseconds; 0: never

	mu        sync.Mutex
	delivered map[string]bool // ids of tasks that were taken, and of which nothing has begun
}

// NewServer returns a server on the given connection, which must be its own (it gets a hook) and
// which the caller closes.
func NewServer(rdb redis.UniversalClient, cfg ServerConfig) *Server {
	s := &Server{cfg: cfg, rdb: rdb, names: make(map[string]string), delivered: make(map[string]bool), wake: make(chan struct{}, 1), stop: make(chan struct{})}
	s.hook = newHook(len(cfg.Queues), cfg.Slots, s.wake, s.stop)
	rdb.AddHook(s.hook)
	s.client = asynq.NewClientFromRedisClient(rdb)
	queues := make(map[string]int)
	for _, q := range cfg.Queues {
		inRedis := name(q, cfg.Run, cfg.Key)
		queues[inRedis], s.names[inRedis] = 1, q
	}

	s.asynq = asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency:       2 * cfg.Slots, // half of them report what they have executed
		Queues:            queues,
		TaskCheckInterval: time.Millisecond, // the hook does the waiting
		ShutdownTimeout:   taskTimeout,      // handlers end when their context does
		RetryDelayFunc:    func(int, error, *asynq.Task) time.Duration { return 0 },
		IsFailure:         func(err error) bool { return !errors.Is(err, asynq.ErrLeaseExpired) },
		Logger:            logger{cfg.Logger},
		LogLevel:          asynq.WarnLevel,
	})

	return s
}

// Start begins to take bundles. It returns once wake-ups are heard and the first bundle can be
// taken.
func (s *Server) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	var channels []string
	for inRedis := range s.names {
		channels = append(channels, wakeChannel(inRedis))
	}

	wakeUps := s.rdb.Subscribe(ctx, channels...)
	_, err := wakeUps.Receive(ctx) // the answer to the subscription: from now on none is missed
	if err == nil {
		err = s.asynq.Start(asynq.HandlerFunc(s.process))
	}
	if err != nil {
		cancel()
		return errors.Join(fmt.Errorf("start to take tasks: %w", err), wakeUps.Close())
	}

	s.cancel = cancel
	s.listener.Go(func() { s.listen(ctx, wakeUps) })
	return nil
}

func (s *Server) process(ctx context.Context, task *asynq.Task) error {
	id, _ := asynq.GetTaskID(ctx)
	s.markDelivered(id)
	defer s.Begun(id)

	s.hook.handlerStarted()
	executed := sync.OnceFunc(func() { <-s.hook.slots })
	defer executed()

	queue, _ := asynq.GetQueueName(ctx)
	var b Batch
	body, err := s.verify(queue, task.Payload())
	if err == nil {
		b, err = decodeBatch(body)
	}
	if errors.Is(err, version.ErrNewer) {
		return s.requeueNewer(ctx, queue, task, err, executed)
	}
	if err != nil {
		s.cfg.Logger.Warn("task refused, nothing of it is executed", "task", truncate(id), "queue", queue, "error", err)
		// it is put aside, where people can look at it
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}

	b.Queue = s.names[queue]
	b.ID = id
	err = s.cfg.Handle(ctx, b, executed)
	if errors.Is(err, version.ErrNewer) {
		return s.requeueNewer(ctx, queue, task, err, executed)
	}
	return err
}

const (
	newerPause    = 250 * time.Millisecond // before a task of a newer godags goes to another worker
	newerLogEvery = time.Minute
)

// requeueNewer puts a task that only a newer godags can read back into its queue, as it is: the signature
// covers all of it. It is not archived, since another worker may be able to read it.
func (s *Server) requeueNewer(ctx context.Context, queue string, task *asynq.Task, newer error, executed func()) error {
	id, _ := asynq.GetTaskID(ctx)
	if last := s.newerLogged.Load(); time.Since(time.Unix(0, last)) > newerLogEvery && s.newerLogged.CompareAndSwap(last, time.Now().UnixNano()) {
		s.cfg.Logger.Warn("task returned to the queue for another worker", "task", truncate(id), "queue", queue, "error", newer)
	}

	// Other tasks do not wait with this one. Without the pause, the worker that is first to ask
	// would be this one again.
	executed()
	select {
	case <-time.After(newerPause):
	case <-s.stop:
	}

	first := RequeuedFrom(id)
	if first == "" {
		first = id
	}
	_, err := s.client.EnqueueContext(context.WithoutCancel(ctx), asynq.NewTask(task.Type(), task.Payload()),
		asynq.Queue(queue), asynq.TaskID(requeuedID(first)), asynq.MaxRetry(maxRetry), asynq.Timeout(taskTimeout))
	if err == nil {
		err = s.rdb.Publish(context.WithoutCancel(ctx), wakeChannel(queue), "").Err()
	}
	if err != nil {
		// Asynq delivers it again
		return fmt.Errorf("return task %s to its queue: %w", truncate(id), err)
	}
	return nil
}

func (s *Server) markDelivered(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered[id] = true
}

// Begun says that something of a task was claimed: that it was delivered is of no interest any
// more.
func (s *Server) Begun(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.delivered, id)
}

// Delivered returns the ids of tasks that were taken from their queue, and of which nothing has
// begun. A task waits for a slot if its handler comes late, as on a machine that is busy.
func (s *Server) Delivered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.delivered))
}

// verify returns a payload that was signed for a queue to which this server listens. The name of
// the queue comes with the task, and may be another one than that of the queue from which it was
// taken.
func (s *Server) verify(queue string, payload []byte) ([]byte, error) {
	if _, ours := s.names[queue]; !ours {
		return nil, fmt.Errorf("%w: it is for queue %q, to which this worker does not listen", sign.ErrSignature, truncate(queue))
	}
	return verifyTask(s.cfg.Key, queue, payload)
}

// truncate shortens text from another process.
func truncate(text string) string { return text[:min(len(text), 200)] }

// listen turns wake-up messages into wake-ups. go-redis connects again by itself when the
// connection is lost.
func (s *Server) listen(ctx context.Context, wakeUps *redis.PubSub) {
	defer wakeUps.Close()
	messages := wakeUps.Channel()
	for {
		select {
		case <-messages:
			select {
			case s.wake <- struct{}{}:
			default:
			}
		case <-ctx.Done():
			return
		}
	}
}

// Hold takes no further bundles until it is called with false. Handlers go on.
func (s *Server) Hold(held bool) { s.hook.held.Store(held) }

// Stop takes no further bundles. Handlers go on.
func (s *Server) Stop() {
	s.once.Do(func() {
		close(s.stop)
		s.asynq.Stop()
	})
}

// Shutdown stops and waits until all handlers have returned.
func (s *Server) Shutdown() {
	s.Stop()
	s.asynq.Shutdown()
	s.cancel()
	s.listener.Wait()
}

// logger passes on what Asynq has to say.
type logger struct{ *slog.Logger }

func (l logger) Debug(args ...any) { l.Logger.Debug(fmt.Sprint(args...)) }
func (l logger) Info(args ...any)  { l.Logger.Info(fmt.Sprint(args...)) }
func (l logger) Warn(args ...any)  { l.Logger.Warn(fmt.Sprint(args...)) }
func (l logger) Error(args ...any) { l.Logger.Error(fmt.Sprint(args...)) }
func (l logger) Fatal(args ...any) { l.Logger.Error(fmt.Sprint(args...)) }
