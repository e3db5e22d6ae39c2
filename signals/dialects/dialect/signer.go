package dialect

import "time"

// Signer is implemented by dialects that can prove to the other side who sends:
// it puts the credential of the source's first secret where the platform puts
// it, as of now, and so may change Header and Body. A source without secrets
// leaves req as it is.
type Signer interface {
	Sign(req *Request, src Source, now time.Time) error
}
