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

// ServerConfig says how batches are taken from queues.
type ServerConfig struct {
	Queues []string // all with the same priority
	Run    string   // whose private queues are used, or ""
	Key    sign.Key // batches with another signature are refused
	Slots  int      // batches that are executed at once

	// Handle executes a batch. It calls freeSlot as soon as another batch may have its slot.
	Handle func(ctx context.Context, b Batch, freeSlot func()) error
	Logger *slog.Logger
}

// Server takes batches from queues and calls a handler for each. If the handler returns an error
// the batch is delivered again.
type Server struct {
	cfg      ServerConfig
	rdb      redis.UniversalClient
	asynq    *asynq.Server
	names    map[string]string // names of the queues, by their names in Redis
	hook     *hook
	wake     chan struct{}
	stop     chan struct{} // closed first when the server stops
	cancel   context.CancelFunc
	once     sync.Once
	listener sync.WaitGroup

	client      *asynq.Client // returns tasks that this worker cannot read
	newerLogged atomic.Int64  // time of the last warning about that, in nanoseconds; 0: never

	mu        sync.Mutex
	delivered map[string]bool // IDs of tasks that were taken, and of which nothing is claimed
}

// NewServer returns a server on the given connection. The connection gets a hook, so nothing else
// may use it. The caller closes it.
func NewServer(rdb redis.UniversalClient, cfg ServerConfig) *Server {
	s := &Server{
		cfg:       cfg,
		rdb:       rdb,
		names:     make(map[string]string),
		delivered: make(map[string]bool),
		wake:      make(chan struct{}, 1),
		stop:      make(chan struct{}),
	}
	s.hook = newHook(len(cfg.Queues), cfg.Slots, s.wake, s.stop)
	rdb.AddHook(s.hook)
	s.client = asynq.NewClientFromRedisClient(rdb)
	queues := make(map[string]int)
	for _, q := range cfg.Queues {
		inRedis := name(q, cfg.Run, cfg.Key)
		queues[inRedis] = 1
		s.names[inRedis] = q
	}

	// The hook does the waiting and counts the slots, so Asynq itself must do neither: it asks
	// without a pause, and has room for batches that are executed and still report. Handlers return
	// when their context is cancelled, so the shutdown needs no limit.
	s.asynq = asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency:       2 * cfg.Slots,
		Queues:            queues,
		TaskCheckInterval: time.Millisecond,
		ShutdownTimeout:   taskTimeout,
		RetryDelayFunc:    func(int, error, *asynq.Task) time.Duration { return 0 },
		IsFailure:         func(err error) bool { return !errors.Is(err, asynq.ErrLeaseExpired) },
		Logger:            logger{cfg.Logger},
		LogLevel:          asynq.WarnLevel,
	})

	return s
}

// Start starts to take batches. When it returns, wake-ups are received and the first batch can be
// taken.
func (s *Server) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	var channels []string
	for inRedis := range s.names {
		channels = append(channels, wakeChannel(inRedis))
	}

	// Received is the reply to the subscription. From then on no wake-up is missed, so the first
	// dequeue must come after it.
	wakeUps := s.rdb.Subscribe(ctx, channels...)
	_, err := wakeUps.Receive(ctx)
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

// process is the handler that Asynq calls for each task.
func (s *Server) process(ctx context.Context, task *asynq.Task) error {
	// Listed from the first moment: a coordinator that finds the task neither in the queue nor with
	// a worker sends it again.
	id, _ := asynq.GetTaskID(ctx)
	s.markDelivered(id)
	defer s.MarkClaimed(id)

	s.hook.handlerStarted()
	freeSlot := sync.OnceFunc(func() { <-s.hook.slots })
	defer freeSlot()

	// The signature comes first. Nothing that another program may have written is decoded.
	queue, _ := asynq.GetQueueName(ctx)
	var b Batch
	body, err := s.verify(queue, task.Payload())
	if err == nil {
		b, err = decodeBatch(body)
	}
	if errors.Is(err, version.ErrNewer) {
		return s.requeueNewer(ctx, queue, task, err, freeSlot)
	}
	if err != nil {
		s.cfg.Logger.Warn("task refused, nothing of it is executed", "task", truncate(id), "queue", queue, "error", err)

		// No worker can do better, so Asynq must not deliver the task again. It archives the task,
		// where people can look at it.
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}

	b.Queue = s.names[queue]
	b.ID = id
	err = s.cfg.Handle(ctx, b, freeSlot)
	if errors.Is(err, version.ErrNewer) {
		return s.requeueNewer(ctx, queue, task, err, freeSlot)
	}
	return err
}

const (
	newerPause    = 250 * time.Millisecond // before a task of a newer godags is requeued
	newerLogEvery = time.Minute
)

// requeueNewer puts a task that only a newer godags can read back into its queue. Another worker
// may be able to read it, so it is not archived.
func (s *Server) requeueNewer(ctx context.Context, queue string, task *asynq.Task, newer error, freeSlot func()) error {
	id, _ := asynq.GetTaskID(ctx)

	// The task may come back four times a second, so the warning is limited.
	last := s.newerLogged.Load()
	due := time.Since(time.Unix(0, last)) > newerLogEvery
	if due && s.newerLogged.CompareAndSwap(last, time.Now().UnixNano()) {
		s.cfg.Logger.Warn("task returned to the queue for another worker", "task", truncate(id), "queue", queue, "error", newer)
	}

	// Other tasks do not wait with this one. Without the pause, this worker would be the first to
	// dequeue the task again.
	freeSlot()
	select {
	case <-time.After(newerPause):
	case <-s.stop:
	}

	first := RequeuedAttempt(id)
	if first == "" {
		first = id
	}

	// The payload stays as it is, byte for byte: the signature covers all of it.
	_, err := s.client.EnqueueContext(context.WithoutCancel(ctx), asynq.NewTask(task.Type(), task.Payload()),
		asynq.Queue(queue), asynq.TaskID(requeuedID(first)), asynq.MaxRetry(maxRetry), asynq.Timeout(taskTimeout))
	if err == nil {
		err = s.rdb.Publish(context.WithoutCancel(ctx), wakeChannel(queue), "").Err()
	}
	if err != nil {
		return fmt.Errorf("return task %s to its queue: %w", truncate(id), err)
	}
	return nil
}

// markDelivered notes that a task was taken from its queue.
func (s *Server) markDelivered(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered[id] = true
}

// MarkClaimed notes that attempts of a task are claimed. From then on the journal says which worker
// has them.
func (s *Server) MarkClaimed(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.delivered, id)
}

// Delivered returns the IDs of tasks that were taken from their queue, and of which nothing is
// claimed. On a busy machine a task may wait here for a slot.
func (s *Server) Delivered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.delivered))
}

// verify returns a payload if it was signed for a queue on which this server listens.
func (s *Server) verify(queue string, payload []byte) ([]byte, error) {
	// Asynq reads the name of the queue from the task, which may lie in another queue. Without this
	// check, a writer to Redis could move a signed task to workers for which it was not meant.
	if _, ours := s.names[queue]; !ours {
		return nil, fmt.Errorf("%w: it is for queue %q, to which this worker does not listen", sign.ErrSignature, truncate(queue))
	}
	return verifyTask(s.cfg.Key, queue, payload)
}

// truncate shortens text from another process for logs and errors.
func truncate(text string) string { return text[:min(len(text), 200)] }

// listen turns messages into wake-ups. go-redis reconnects by itself when the connection is lost.
func (s *Server) listen(ctx context.Context, wakeUps *redis.PubSub) {
	defer wakeUps.Close()
	messages := wakeUps.Channel()
	for {
		select {
		case <-messages:
			// One wake-up is enough for any number of messages: a dequeue asks all queues.
			select {
			case s.wake <- struct{}{}:
			default:
			}
		case <-ctx.Done():
			return
		}
	}
}

// Hold stops taking batches until it is called with false. Running handlers continue.
func (s *Server) Hold(held bool) { s.hook.held.Store(held) }

// Stop stops taking batches. Running handlers continue.
func (s *Server) Stop() {
	s.once.Do(func() {
		// First the hook: Asynq waits for its dequeue, which may be parked.
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

// logger writes the log lines of Asynq to a slog logger.
type logger struct{ *slog.Logger }

func (l logger) Debug(args ...any) { l.Logger.Debug(fmt.Sprint(args...)) }
func (l logger) Info(args ...any)  { l.Logger.Info(fmt.Sprint(args...)) }
func (l logger) Warn(args ...any)  { l.Logger.Warn(fmt.Sprint(args...)) }
func (l logger) Error(args ...any) { l.Logger.Error(fmt.Sprint(args...)) }
func (l logger) Fatal(args ...any) { l.Logger.Error(fmt.Sprint(args...)) }
