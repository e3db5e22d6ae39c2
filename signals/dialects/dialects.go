// Package dialects is the one table of the wire formats that Parley speaks.
//
// Each lives in a package of its own below this one and is pure translation:
// it verifies, decodes, answers and encodes, and touches neither Temporal nor a
// clock. What they share is in the package dialect, whose names are repeated
// here for those who use the table.
package dialects

import (
	"github.com/parleyhq/parley/signals/dialects/acquire"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/inbenta"
	"github.com/parleyhq/parley/signals/dialects/livechat"
	"github.com/parleyhq/parley/signals/dialects/parley"
	"github.com/parleyhq/parley/signals/dialects/pypestream"
	"github.com/parleyhq/parley/signals/dialects/twt"
)

// What a user of the table needs of the package dialect.
type (
	// Dialect is one platform's wire format.
	Dialect = dialect.Dialect
	// Source is what a dialect needs to know about a connected account.
	Source = dialect.Source
	// Request is one webhook as it came.
	Request = dialect.Request
	// Response is what goes back to the platform.
	Response = dialect.Response
	// Outcome is what became of a webhook's events.
	Outcome = dialect.Outcome
)

// The errors of verifying, decoding and encoding.
var (
	ErrUnauthorized = dialect.ErrUnauthorized
	ErrNotSigned    = dialect.ErrNotSigned
	ErrMalformed    = dialect.ErrMalformed
	ErrNotEncodable = dialect.ErrNotEncodable
)

// Table returns every dialect by its name.
func Table() map[string]Dialect {
	all := [...]Dialect{
		acquire.Dialect{}, inbenta.Dialect{}, livechat.Dialect{}, parley.Dialect{}, pypestream.Dialect{}, twt.Dialect{},
	}
	table := make(map[string]Dialect, len(all))

	for _, d := range all {
		table[d.Name()] = d
	}

	return table
}
