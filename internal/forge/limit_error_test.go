package forge

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// Whoever keeps what is to be posted asks an error by this method when to come back.
func TestALimitSaysWhenToAskAgain(t *testing.T) {
	until := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	var timed interface{ RetryAt() time.Time }
	if err := fmt.Errorf("post: %w", &LimitError{Until: until}); !errors.As(err, &timed) || !timed.RetryAt().Equal(until) {
		t.Errorf("%v does not say when", err)
	}
}
