package platform

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
)

// livechat is one LiveChat account, spoken to by the Agent Chat Web API. Its
// token needs the scope chats--all:rw, which contains reading.
type livechat struct {
	api *liveChatAPI
}

// transfer is the payload of transfer_chat. A missing target moves the chat
// within its present group.
type transfer struct {
	ID     string          `json:"id"`
	Target *transferTarget `json:"target,omitempty"`
	// IgnoreAgentsAvailability lets the chat wait in the queue; without it the
	// transfer fails where nobody can take the chat at once.
	IgnoreAgentsAvailability bool `json:"ignore_agents_availability"`
	// IgnoreRequesterPresence is needed since Parley is no user of the chat.
	IgnoreRequesterPresence bool `json:"ignore_requester_presence"`
}

// transferTarget has agents' ids, which are strings, or groups', which are
// numbers.
type transferTarget struct {
	Type string `json:"type"`
	IDs  []any  `json:"ids"`
}

// alreadyThere is how LiveChat refuses a transfer to an agent of the chat. It
// has no type of its own.
const alreadyThere = "already present in the chat"

// Move looks where the chat is, and transfers it if it is not there yet.
func (l *livechat) Move(ctx context.Context, command *signals.PlatformCommand) (string, error) {
	payload, err := transferOf(command)
	if err != nil {
		return "", err
	}

	seen, err := l.look(ctx, command.Chat)
	if err != nil {
		return "", err
	}

	if detail, done, err := seen.judge(command); done || err != nil {
		return detail, err
	}

	response, err := l.api.call(ctx, "transfer_chat", payload, 0)
	if err == nil {
		return response, nil
	}

	if command.AgentID == "" || !isRefusal(err, alreadyThere) {
		return "", err
	}

	// Either the agent has come meanwhile, or is there to supervise, unseen by
	// the visitor, and that is another matter.
	seen, lookErr := l.look(ctx, command.Chat)
	if lookErr != nil {
		return "", lookErr
	}

	if detail, done, judgeErr := seen.judge(command); done || judgeErr != nil {
		return detail, judgeErr
	}

	if seen == nil {
		return detailThere, nil
	}

	return "", err
}

// transferOf is what a command is in LiveChat's words. Somebody chose an agent
// or a group, who get the chat even if it has to wait for them; a reassignment
// is of use only if somebody is free.
func transferOf(command *signals.PlatformCommand) (*transfer, error) {
	payload := &transfer{
		ID: command.Chat, IgnoreAgentsAvailability: command.Action == signals.PlatformTransfer, IgnoreRequesterPresence: true,
	}

	switch {
	case command.AgentID != "":
		payload.Target = &transferTarget{Type: "agent", IDs: []any{command.AgentID}}
	case command.GroupID != "":
		group, err := strconv.ParseInt(command.GroupID, 10, 64)
		if err != nil {
			return nil, outbound.Permanent(fmt.Sprintf("LiveChat's groups are numbers, and %q is none",
				signals.Cut(command.GroupID, maxQuoted)))
		}

		payload.Target = &transferTarget{Type: "group", IDs: []any{group}}
	}

	return payload, nil
}

// chat is what Parley reads of a get_chat.
type chat struct {
	Thread *struct {
		ID     string    `json:"id"`
		Active bool      `json:"active"`
		Queue  *struct{} `json:"queue"`
	} `json:"thread"`
	Users  []user `json:"users"`
	Access struct {
		GroupIDs []int64 `json:"group_ids"`
	} `json:"access"`
}

// user is a participant of a chat, present or not.
type user struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Present    bool   `json:"present"`
	Visibility string `json:"visibility"`
}

// maxChat bounds a get_chat in bytes: it brings the thread's events along.
const maxChat = 4 << 20

// look fetches the chat; nil, without an error, is one that is too large.
func (l *livechat) look(ctx context.Context, id string) (*chat, error) {
	answer, err := l.api.read(ctx, "get_chat", map[string]string{"chat_id": id}, maxChat)
	if err != nil {
		return nil, err
	}

	if answer.Cut && len(answer.Body) == maxChat {
		return nil, nil //nolint:nilnil // nothing is known, and that is no fault
	}

	var seen chat

	if err := json.Unmarshal(answer.Body, &seen); err != nil {
		return nil, outbound.Temporary(l.api.host + ": the answer to get_chat broke off, or is no chat")
	}

	return &seen, nil
}

// What is said of a command that need not be given.
const (
	detailThere = "the agent has the chat already"
	detailGroup = "the chat is in the group already"
	detailGone  = "the chat is not with the agent any more"
	detailTaken = "an agent has the chat already"
)

// judge says whether a command is carried out already, or cannot be any more.
func (c *chat) judge(command *signals.PlatformCommand) (detail string, done bool, err error) {
	switch {
	case c == nil && command.AgentID != "":
		// LiveChat refuses a second transfer to the same agent by itself.
		return "", false, nil
	case c == nil:
		return "", false, outbound.Permanent("the chat is too large to see whether it was moved already")
	case c.Thread == nil || !c.Thread.Active:
		return "", false, outbound.Permanent("the chat is not active any more")
	case command.Thread != "" && c.Thread.ID != command.Thread:
		return "", false, outbound.Permanent("the chat has gone on in another thread since")
	default:
		detail, done = c.holds(command)

		return detail, done, nil
	}
}

// holds reports whether an active chat is where a command wants it.
func (c *chat) holds(command *signals.PlatformCommand) (detail string, done bool) {
	switch {
	case command.AgentID != "":
		return detailThere, c.serves(command.AgentID)
	case command.From != "" && c.serves(command.From):
		return "", false
	case command.Action == signals.PlatformReassign:
		return detailGone, true
	case command.GroupID != "":
		return detailGroup, c.inGroup(command.GroupID) && (c.Thread.Queue != nil || c.taken())
	default:
		return detailTaken, c.taken()
	}
}

// serves reports whether an agent, or bot, is in the chat for the visitor to
// see. Versions before 3.3 know no visibility.
func (c *chat) serves(agent string) bool {
	return slices.ContainsFunc(c.Users, func(u user) bool { return u.serves() && strings.EqualFold(u.ID, agent) })
}

// taken reports whether any agent who is no bot is in the chat.
func (c *chat) taken() bool {
	return slices.ContainsFunc(c.Users, func(u user) bool { return u.serves() && !isBot(u.ID) })
}

func (u *user) serves() bool { return u.Type == "agent" && u.Present && u.Visibility != "agents" }

// isBot tells bots by their ids, 32 hexadecimal digits where a person's is an
// e-mail address; a chat does not say it.
func isBot(id string) bool {
	const length = 16

	raw, err := hex.DecodeString(id)

	return err == nil && len(raw) == length
}

func (c *chat) inGroup(group string) bool {
	return slices.ContainsFunc(c.Access.GroupIDs, func(id int64) bool { return strconv.FormatInt(id, 10) == group })
}
