package courier

import (
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
)

// What [Courier.Events], [Courier.Tell] and [Courier.Orders] may answer. After
// any of them nothing is promised: the message may or may not have arrived, and
// sending it again is harmless.
var (
	// ErrUnavailable says that Temporal or the keeper did not answer in time;
	// the HTTP API answers it with 503.
	ErrUnavailable = errors.New("temporal unavailable")
	// ErrBusy says that too much is queued already; the HTTP API answers it
	// with 503.
	ErrBusy = errors.New("too much is queued")
	// ErrRefused says that the message itself is at fault, so that repeating
	// it cannot help.
	ErrRefused = errors.New("refused")
	// ErrClosed says that the courier no longer takes anything. It is an
	// [ErrUnavailable].
	ErrClosed = fmt.Errorf("courier closed: %w", ErrUnavailable)
)

// errAgain marks what a short pause mends: a run that is just closing, or one
// that another gateway has just started.
var errAgain = fmt.Errorf("run is changing hands: %w", ErrUnavailable)

// classify turns an error of the Temporal client into one of the above.
func classify(doing string, err error) error {
	if err == nil {
		return nil
	}

	if _, exhausted := errors.AsType[*serviceerror.ResourceExhausted](err); exhausted {
		return fmt.Errorf("%s: %w: %w", doing, errAgain, err)
	}

	if _, invalid := errors.AsType[*serviceerror.InvalidArgument](err); invalid {
		return fmt.Errorf("%s: %w: %w", doing, ErrRefused, err)
	}

	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

// keeperError turns an error of the keeper into one of the above; the keeper may use
// them itself.
func keeperError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrBusy), errors.Is(err, ErrRefused), errors.Is(err, ErrUnavailable):
		return fmt.Errorf("%s: %w", doing, err)
	default:
		return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
	}
}

func isNotFound(err error) bool {
	_, notFound := errors.AsType[*serviceerror.NotFound](err)

	return notFound
}

// alreadyStarted returns the run that a start ran into.
func alreadyStarted(err error) (string, bool) {
	started, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	if !ok {
		return "", false
	}

	return started.RunId, true
}
