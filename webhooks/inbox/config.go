package inbox

import (
	"time"

	"github.com/uber-go/tally/v4"
)

const (
	// parkedFor is how long an event waits for one that may start a
	// conversation (contract, section 5).
	parkedFor = 10 * time.Minute
	// maxEvent is in bytes of JSON.
	maxEvent = 1 << 20
	// maxParked and maxParkedBytes bound what waits for the start of one
	// conversation, since all of it goes ahead of the event that starts it.
	// What comes beyond is an orphan at once.
	maxParked      = 500
	maxParkedBytes = 1 << 20
	// maxShown bounds what is shown beside a ticket.
	maxShown = 200

	defaultLimit = 50
	maxLimit     = 500

	defaultRetryWindow = 2 * time.Minute
)

// Config holds the inbox's bounds; a zero value means the default.
type Config struct {
	// MaxWaiting and MaxWaitingBytes bound what one source may have waiting,
	// parked events included; more is refused with [ErrFull].
	MaxWaiting      int   `env:"PARLEY_INBOX_MAX_WAITING" envDefault:"200000" min:"1" desc:"events of one source that may wait for Temporal"`
	MaxWaitingBytes int64 `env:"PARLEY_INBOX_MAX_WAITING_BYTES" envDefault:"268435456" min:"1024" desc:"bytes of one source that may wait"`
	// MaxMemory bounds the waiting events that are kept in memory; the others
	// are read from disk when their turn comes.
	MaxMemory int64 `env:"PARLEY_INBOX_MAX_MEMORY" envDefault:"67108864" min:"1024" desc:"bytes of waiting events kept in memory, all in all"`
	// Parallel is how many conversations are forwarded to at a time, those whose
	// answer takes longer than a second not counted; 0 leaves it to whoever knows
	// where Temporal is. With a server in the same process few are right: more
	// take the processor from what they start. Of 95,000 conversations that came
	// at once, 125/s were applied with 2, 50/s with 4 and 18/s with 16.
	Parallel int `env:"PARLEY_INBOX_PARALLEL" envDefault:"0" min:"0" max:"1000" desc:"conversations served at once; 0 is 2, 32 on a cluster"`
	// MaxAccount bounds the account log of a source; the oldest go first.
	MaxAccount int `env:"PARLEY_INBOX_MAX_ACCOUNT" envDefault:"100000" min:"1" desc:"account events kept of one source"`
	// Retention is how long everything is kept that neither waits nor is dead.
	Retention time.Duration `env:"PARLEY_INBOX_RETENTION" envDefault:"720h" min:"1s" desc:"how long forwarded, late and account events stay"`

	// RetryWindow is how long the same derived id of a source counts as a
	// repetition.
	RetryWindow func(source string) time.Duration `env:"-"`
	// Scope takes the inbox's metrics under their full names; it may be nil.
	Scope tally.Scope `env:"-"`
	// Now may be nil; tests turn the clock with it.
	Now func() time.Time `env:"-"`

	// firstRest is for tests.
	firstRest time.Duration
}

func (config Config) withDefaults() Config {
	if config.MaxWaiting <= 0 {
		config.MaxWaiting = 200_000
	}

	if config.MaxWaitingBytes <= 0 {
		config.MaxWaitingBytes = 256 << 20
	}

	if config.MaxMemory <= 0 {
		config.MaxMemory = 64 << 20
	}

	if config.Parallel <= 0 {
		config.Parallel = 2
	}

	if config.MaxAccount <= 0 {
		config.MaxAccount = 100_000
	}

	if config.Retention <= 0 {
		config.Retention = 30 * 24 * time.Hour
	}

	if config.RetryWindow == nil {
		config.RetryWindow = func(string) time.Duration { return defaultRetryWindow }
	}

	if config.Scope == nil {
		config.Scope = tally.NoopScope
	}

	if config.Now == nil {
		config.Now = time.Now
	}

	if config.firstRest <= 0 {
		config.firstRest = firstRest
	}

	return config
}
