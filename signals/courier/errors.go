package courier

import (
	"errors"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
)

// What [Courier.Events], [Courier.Tell] and [Courier.Orders] may answer. After
// any of them nothing is promised: the message may or may not have arrived, and
// sending it again is harmless.
var (
	// ErrUnavailable says that Temporal did not answer in time; the HTTP API
	// answers it with 503.
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

// errAgain marks what a short pause may mend.
var errAgain = fmt.Errorf("not now: %w", ErrUnavailable)

// ErrHeld says that it is the workflow itself that takes nothing at the moment:
// it is just closing, or starting at another gateway, or has more signals than
// the server allows until it continues as new. Others are not concerned. It is
// an [ErrUnavailable].
var ErrHeld = fmt.Errorf("run is held up: %w", errAgain)

// signalLimit is how the server refuses the signal after the 10,000th of a run
// (go.temporal.io/server v1.32.1, service/history/consts). It says so with
// InvalidArgument, although the next run takes it.
const signalLimit = "exceeded workflow execution limit for signal events"

// noAttribute is part of how the server refuses a search attribute that it does
// not know (yet): "Namespace default has no mapping defined for search attribute
// ParleyStatus" (common/searchattribute, v1.32.1).
const noAttribute = "search attribute"

func refusesAttributes(err error) bool {
	invalid, ok := errors.AsType[*serviceerror.InvalidArgument](err)

	return ok && strings.Contains(invalid.Message, noAttribute)
}

// classify turns an error of the Temporal client into one of the above.
func classify(doing string, err error) error {
	if err == nil {
		return nil
	}

	kind := ErrUnavailable

	if exhausted, ok := errors.AsType[*serviceerror.ResourceExhausted](err); ok {
		kind = errAgain

		if exhausted.Cause == enumspb.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW {
			kind = ErrHeld
		}
	}

	if invalid, ok := errors.AsType[*serviceerror.InvalidArgument](err); ok {
		kind = ErrRefused

		if strings.Contains(invalid.Message, signalLimit) {
			kind = ErrHeld
		}
	}

	if errors.Is(err, kind) {
		return fmt.Errorf("%s: %w", doing, err)
	}

	return fmt.Errorf("%s: %w: %w", doing, kind, err)
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
