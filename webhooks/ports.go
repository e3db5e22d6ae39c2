package webhooks

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// What implementations of the interfaces below wrap.
var (
	// ErrNotFound says that a store has no such record.
	ErrNotFound = errors.New("not found")
	// ErrBadCursor says that a list gave out no such cursor.
	ErrBadCursor = errors.New("bad cursor")
)

// Source is one connected account as the edge serves it.
type Source struct {
	dialect.Source

	Dialect dialect.Dialect
	// Title, Policy and Desk are shown in the list of sources.
	Title, Policy, Desk string
	// Routed says that the desk gives conversations to agents, not the platform.
	Routed bool
}

// Acceptor keeps webhooks durably and brings their events on. It is the inbox.
type Acceptor interface {
	// Accept returns once every event of one webhook is on disk, or with an
	// error after which none is kept. Its errors are those of [inbox.Inbox.Accept].
	Accept(ctx context.Context, source string, events []signals.Event) (inbox.Receipt, error)
	// Settled returns once what was accepted for a conversation before has
	// reached its run or is kept beside it; [inbox.ErrBehind], at once, while
	// Temporal is away.
	Settled(ctx context.Context, key signals.Key) error
	// Health is nil, or why nothing can be accepted for now.
	Health() error
}

// Archive shows what was accepted, and how the inbox is doing. It is the inbox.
type Archive interface {
	Report(ctx context.Context) (inbox.Report, error)
	// Dead pages the events that Temporal refuses for good, oldest first.
	Dead(ctx context.Context, limit int, cursor string) ([]inbox.DeadLetter, string, error)
	// Retry sends one of them again and returns its new number.
	Retry(ctx context.Context, id int64) (int64, error)
	// Archive pages everything that was accepted for a conversation, oldest first.
	Archive(ctx context.Context, key signals.Key, query inbox.ArchiveQuery) ([]inbox.ArchivedEvent, string, error)
}

// AccountLog shows the events that belong to a source but to no conversation.
type AccountLog interface {
	// AccountEvents returns at most limit events, newest first, and the
	// cursor of the next page, empty after the last.
	AccountEvents(ctx context.Context, source string, limit int, cursor string) ([]signals.Event, string, error)
}

// SourceCounts is what a source has sent so far.
type SourceCounts struct {
	Accepted   int64 `json:"accepted"`
	Duplicates int64 `json:"duplicates"`
	// Refused counts requests, the others events.
	Refused     int64      `json:"refused"`
	LastError   string     `json:"last_error"`
	LastErrorAt *time.Time `json:"last_error_at"`
}

// SourceLedger counts per source. CountAccepted and CountRefused must not
// block for long: they stand between a webhook and its answer.
type SourceLedger interface {
	CountAccepted(source string, accepted, duplicates int)
	CountRefused(source, reason string)
	SourceCounts(ctx context.Context, source string) (SourceCounts, error)
}

// Waiting is what the inbox knows of a conversation's session beside the
// workflow: events that wait for one that may start it, and events that came
// too late or stayed alone.
type Waiting struct{ Pending, Late, Orphans int64 }

// InboxCounts tells what waits for, or missed, a session of a conversation;
// session 0 asks for what belongs to none yet.
type InboxCounts interface {
	InboxCounts(ctx context.Context, key signals.Key, session int) (Waiting, error)
	// InboxEvents returns what came for a session after it was closed: late
	// events and orphans, in the order of their arrival, a bounded number.
	InboxEvents(ctx context.Context, key signals.Key, session int) ([]signals.Event, error)
}

// SessionFilter selects closed sessions; empty fields select all.
type SessionFilter struct {
	Source, Agent, Desk, Tag string
	// Unreplied selects those that closed while the visitor was owed an answer.
	Unreplied bool
	// Limit is at least 1; Cursor is what the page before returned.
	Limit  int
	Cursor string
}

// TicketFilter selects tickets; empty fields select all.
type TicketFilter struct {
	Source, Status string
	Limit          int
	Cursor         string
}

// SessionStore keeps closed sessions and their tickets.
type SessionStore interface {
	// Session returns a closed session, the newest one for 0, with its
	// ticket as it stands now. It wraps [ErrNotFound].
	Session(ctx context.Context, key signals.Key, session int) (signals.View, error)
	// ClosedSessions lists the newest closed session of each conversation,
	// the last closed first, with the cursor of the next page.
	ClosedSessions(ctx context.Context, filter SessionFilter) ([]signals.View, string, error)
	// Ticket returns a ticket with its transcript. It wraps [ErrNotFound].
	Ticket(ctx context.Context, id string) (signals.Ticket, error)
	// Tickets lists the newest first; transcripts may be left out.
	Tickets(ctx context.Context, filter TicketFilter) ([]signals.Ticket, string, error)
}

// Temporal is the part of client.Client that the edge uses.
type Temporal interface {
	QueryWorkflowWithOptions(
		ctx context.Context, request *client.QueryWorkflowWithOptionsRequest,
	) (*client.QueryWorkflowWithOptionsResponse, error)
	UpdateWorkflow(ctx context.Context, options client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error)
	ListWorkflow(
		ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest,
	) (*workflowservice.ListWorkflowExecutionsResponse, error)
	CheckHealth(ctx context.Context, request *client.CheckHealthRequest) (*client.CheckHealthResponse, error)
}

// Database is the part of *sql.DB that readiness asks.
type Database interface {
	PingContext(ctx context.Context) error
}
