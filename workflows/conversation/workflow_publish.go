package conversation

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/markdown"
)

// Bounds of search attributes: the server refuses a longer value, and the task
// would then fail for ever.
const (
	maxKeyword  = 255
	maxTagsSize = 1500
)

// attributes is what visibility was last told.
type attributes struct {
	told        bool
	status      signals.Status
	agent, desk string
	// pushes is zero unless the visitor is unreplied and channels were told.
	pushes int
}

// known is the status that visibility knows of a run from its start, if it knows
// its source as well: the courier says what most conversations begin with. A run
// that continues another has what that one left, and says everything anew.
func (c *conversation) known(ctx workflow.Context) signals.Status {
	if c.info.ContinuedExecutionRunID != "" {
		return ""
	}

	known := workflow.GetTypedSearchAttributes(ctx)
	source, _ := known.GetKeyword(temporal.NewSearchAttributeKeyKeyword(signals.AttrSource))
	status, _ := known.GetKeyword(temporal.NewSearchAttributeKeyKeyword(signals.AttrStatus))

	if source != c.key.Source {
		return ""
	}

	return signals.Status(status)
}

// publish tells visibility and the Temporal UI. Attributes are upserted only
// when status, agent or desk changes, and with a push and the reply after it;
// details cost no event.
func (c *conversation) publish(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, card(c.machine))

	view := c.machine.View("", false)
	now := attributes{told: true, status: view.Status, agent: view.Agent, desk: view.Desk}

	if view.UnrepliedSince != nil {
		now.pushes = view.PushTimes
	}

	if now == c.published {
		return
	}

	if err := workflow.UpsertTypedSearchAttributes(ctx, c.updates(&view, now)...); err != nil {
		workflow.GetLogger(ctx).Error("Search attributes were refused.", "conversation", c.key.Conversation,
			"source", c.key.Source, "error", err)
	}

	c.published = now
}

// updates are all attributes in one call; what a run before this one may have
// set is cleared.
func (c *conversation) updates(view *signals.View, now attributes) []temporal.SearchAttributeUpdate {
	last := c.published
	inherited := !last.told && c.info.ContinuedExecutionRunID != ""
	updates := []temporal.SearchAttributeUpdate{
		temporal.NewSearchAttributeKeyKeyword(signals.AttrStatus).ValueSet(string(view.Status)),
	}

	if !last.told {
		updates = append(updates, temporal.NewSearchAttributeKeyKeyword(signals.AttrSource).ValueSet(view.Source))
	}

	updates = append(updates, keyword(signals.AttrAgent, view.Agent, last.agent != "" || inherited)...)
	updates = append(updates, keyword(signals.AttrDesk, view.Desk, last.desk != "" || inherited)...)

	if tags := boundTags(view.Tags); len(tags) > 0 {
		updates = append(updates, temporal.NewSearchAttributeKeyKeywordList(signals.AttrTags).ValueSet(tags))
	}

	since := temporal.NewSearchAttributeKeyTime(signals.AttrUnrepliedSince)
	pushes := temporal.NewSearchAttributeKeyInt64(signals.AttrPushes)

	switch {
	case now.pushes > 0:
		updates = append(updates, since.ValueSet(*view.UnrepliedSince), pushes.ValueSet(int64(now.pushes)))
	case last.pushes > 0 || inherited:
		updates = append(updates, since.ValueUnset(), pushes.ValueUnset())
	}

	return updates
}

func keyword(name, value string, had bool) []temporal.SearchAttributeUpdate {
	key := temporal.NewSearchAttributeKeyKeyword(name)

	switch {
	case value != "":
		return []temporal.SearchAttributeUpdate{key.ValueSet(signals.Cut(strings.ToValidUTF8(value, "�"), maxKeyword))}
	case had:
		return []temporal.SearchAttributeUpdate{key.ValueUnset()}
	default:
		return nil
	}
}

func boundTags(tags []string) []string {
	var (
		bounded []string
		size    int
	)

	for _, tag := range tags {
		tag = signals.Cut(strings.ToValidUTF8(tag, "�"), maxKeyword)
		if slices.Contains(bounded, tag) {
			continue
		}

		// The server measures the list as JSON, where one byte can take six.
		if size += jsonSize(tag) + 1; size > maxTagsSize {
			break
		}

		bounded = append(bounded, tag)
	}

	return bounded
}

// cardMessages is how many of the last messages a card shows.
const cardMessages = 8

// card is the conversation as the Temporal UI shows it, in Markdown. What
// visitors wrote is escaped: no image, link or heading of theirs appears.
func card(m *Machine) string {
	var text strings.Builder

	view := m.View("", false)
	text.WriteString("**" + string(view.Status) + "**")

	if view.Agent != "" {
		text.WriteString(" with " + markdown.Escape(view.Agent))
	}

	text.WriteString(" · session " + strconv.Itoa(view.Session) + "\n\n")

	if view.UnrepliedSince != nil {
		text.WriteString("Unreplied since " + clockText(*view.UnrepliedSince) + ", pushes: " + strconv.Itoa(view.PushTimes) + "\n\n")
	}

	for _, asked := range m.viewInvitations() {
		text.WriteString("- invitation to " + markdown.Escape(asked.AgentID) + ": " +
			prefer(asked.Outcome, "open until "+clockText(asked.ExpiresAt)))

		if asked.Reason != "" {
			text.WriteString(" (" + markdown.Escape(asked.Reason) + ")")
		}

		text.WriteString("\n")
	}

	for _, running := range view.Clocks {
		text.WriteString("- " + running.Name + " due " + clockText(running.Due) + "\n")
	}

	text.WriteString("\n")

	from := max(0, len(m.Timeline)-cardMessages)
	for i := from; i < len(m.Timeline); i++ {
		entry := &m.Timeline[i]
		text.WriteString("- " + entry.At.UTC().Format("15:04:05") + " " + string(entry.Type))

		if who := prefer(entry.Name, string(entry.Role)); who != "" {
			text.WriteString(" · " + markdown.Escape(who))
		}

		if entry.Text != "" {
			text.WriteString(" · " + markdown.Escape(signals.Cut(entry.Text, maxCardText)))
		}

		text.WriteString("\n")
	}

	return text.String()
}

const maxCardText = 200

func clockText(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }
