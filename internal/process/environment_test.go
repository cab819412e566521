package process

import (
	"slices"
	"testing"
)

func TestPublic(t *testing.T) {
	got := Public([]string{"PATH=/bin", "GODAGS_KEY=k", "REDIS_URL=redis://:p@host", "GODAGS_SECRET_A=b=c", "GODAGS_SECRETS=no", "EMPTY=", "GODAGS_QUEUE=q"})
	if want := []string{"PATH=/bin", "GODAGS_SECRETS=no", "EMPTY=", "GODAGS_QUEUE=q"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
