package notify

import (
	"context"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/internal/outbox"
)

func deliverable(t *testing.T, key string) outbox.Item {
	t.Helper()
	it, err := parcel{[]Message{message(key)}}.item("c", key)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func timeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}
