package outbound

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Failure is why an order did not go out. Its text is safe to show: it names
// no URL beyond the host, and no secret.
type Failure struct { //nolint:errname // it is an outcome first, and an error second
	Reason string
	// Permanent: trying again is of no use.
	Permanent bool
	// RetryAfter is what the receiver asked for; zero if nothing.
	RetryAfter time.Duration
	cause      error
}

// Error returns the reason.
func (f *Failure) Error() string { return f.Reason }

// Unwrap returns what lies beneath, for errors.Is; its text may hold secrets.
func (f *Failure) Unwrap() error { return f.cause }

// Permanent returns a failure that trying again will not mend.
func Permanent(reason string) *Failure { return &Failure{Reason: reason, Permanent: true} }

// Temporary returns a failure that may pass.
func Temporary(reason string) *Failure { return &Failure{Reason: reason} }

// IsPermanent reports whether err is a failure that trying again will not mend.
func IsPermanent(err error) bool {
	failure, ok := errors.AsType[*Failure](err)

	return ok && failure.Permanent
}

// Judge is the usual reading of an answer by its status: 2xx is success, 410
// ends it, and everything else may pass, since receivers are misconfigured for
// hours and then mended. Retry-After counts with 429 and 503.
func Judge(response *Response, now time.Time) error {
	if response.Status >= 200 && response.Status < 300 {
		return nil
	}

	text := http.StatusText(response.Status)
	failure := Temporary(strconv.Itoa(response.Status))

	if text != "" {
		failure.Reason += " " + text
	}

	switch response.Status {
	case http.StatusGone:
		failure.Permanent = true
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		failure.RetryAfter = retryAfter(response.Header.Get("Retry-After"), now)
	}

	return failure
}

// retryAfter reads the header's two forms, seconds and a date (RFC 9110,
// section 10.2.3). What is neither counts as absent.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}

	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}

	return 0
}
