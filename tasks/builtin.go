package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// noop is the handler that does nothing. It takes no parameters.
type noop struct{}

func (noop) Handle(context.Context, *Stage) error { return nil }

func (noop) Validate(params json.RawMessage) error { return decodeParams(params, nil) }

// sleep is the handler that waits for its parameter duration, a Go duration string.
type sleep struct{}

func (sleep) Handle(ctx context.Context, s *Stage) error {
	d, err := sleepDuration(s.Params)
	if err != nil {
		return err
	}

	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (sleep) Validate(params json.RawMessage) error {
	_, err := sleepDuration(params)
	return err
}

func sleepDuration(params json.RawMessage) (time.Duration, error) {
	var text string
	if err := decodeParams(params, map[string]any{"duration": &text}); err != nil {
		return 0, err
	}
	if text == "" {
		return 0, errors.New(`param "duration" is missing: give one such as "20ms", "1.5s" or "2m"`)
	}

	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf(`param "duration" is %q: give one such as "20ms", "1.5s" or "2m"`, text)
	}
	if d < 0 {
		return 0, fmt.Errorf(`param "duration" is %q: it must not be negative`, text)
	}

	return d, nil
}
