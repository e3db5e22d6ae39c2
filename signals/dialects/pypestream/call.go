package pypestream

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Base is what stands before every path of the contract.
const Base = "/contactCenter/v1"

// The words of the paths; they are compared without regard to case, as the
// vendor's own receiver does.
const (
	wordBase          = "contactCenter"
	wordVersion       = "v1"
	wordAgents        = "agents"
	wordConversations = "conversations"
	wordMessages      = "messages"
)

// The calls as Platform.Event names them after the method.
const (
	pathAvailability = "agents/availability"
	pathWaitTime     = "agents/waitTime"
	pathEscalate     = "conversations/{conversationId}/escalate"
	pathType         = "conversations/{conversationId}/type"
	pathMessage      = "conversations/{conversationId}/messages/{messageId}"
	pathEnd          = "conversations/{conversationId}/end"
)

// Names of the ids in the paths, as errors tell them.
const (
	keyConversation = "conversationId"
	keyMessage      = "messageId"
)

// Events returns every call that has a meaning, by the name that
// Platform.Event gives it. The questions are GET by the contract; POST stands
// for a sender that puts their attributes into a body, as the page reads.
func Events() map[string]signals.Type {
	return map[string]signals.Type{
		http.MethodGet + " " + pathAvailability:  signals.AvailabilityRequested,
		http.MethodPost + " " + pathAvailability: signals.AvailabilityRequested,
		http.MethodGet + " " + pathWaitTime:      signals.AvailabilityRequested,
		http.MethodPost + " " + pathWaitTime:     signals.AvailabilityRequested,
		http.MethodPost + " " + pathEscalate:     signals.EscalationRequested,
		http.MethodPost + " " + pathType:         signals.TypingChanged,
		http.MethodPut + " " + pathMessage:       signals.MessageReceived,
		http.MethodPost + " " + pathEnd:          signals.ConversationClosed,
	}
}

// call is a request's method and path, understood.
type call struct {
	method string
	// path is one of the calls' names; empty if it is not known.
	path         string
	version      string
	conversation string
	message      string
}

// callOf reads method and path. An unknown path may still name a conversation.
func callOf(req dialect.Request) call {
	const most = 7 // one more than the longest path has

	c := call{method: req.Method}
	words := wordsOf(req, most)

	if len(words) < 4 || !strings.EqualFold(words[0], wordBase) {
		return c
	}

	c.version = words[1]

	switch {
	case strings.EqualFold(words[2], wordAgents):
		c.path = question(c.method, words[3:])
	case strings.EqualFold(words[2], wordConversations) && words[3] != "":
		c.conversation = words[3]
		c.path = action(c.method, words[4:])
	}

	if !strings.EqualFold(c.version, wordVersion) {
		c.path = ""
	}

	if c.path == pathMessage {
		c.message = words[5]
	}

	return c
}

// wordsOf are the parts of the path, most of them at the most. They are parted
// before they are unescaped, so that an id may hold a slash.
func wordsOf(req dialect.Request, most int) []string {
	if req.RawPath == "" {
		return strings.SplitN(strings.Trim(req.Path, "/"), "/", most)
	}

	words := strings.SplitN(strings.Trim(req.EscapedPath(), "/"), "/", most)

	for i, word := range words {
		if plain, err := url.PathUnescape(word); err == nil { // what EscapedPath returns is escaped
			words[i] = plain
		}
	}

	return words
}

func question(method string, words []string) string {
	if len(words) != 1 || method != http.MethodGet && method != http.MethodPost {
		return ""
	}

	switch strings.ToLower(words[0]) {
	case "availability":
		return pathAvailability
	case "waittime":
		return pathWaitTime
	default:
		return ""
	}
}

func action(method string, words []string) string {
	switch {
	case len(words) == 2 && method == http.MethodPut && strings.EqualFold(words[0], wordMessages) && words[1] != "":
		return pathMessage
	case len(words) != 1 || method != http.MethodPost:
		return ""
	}

	switch strings.ToLower(words[0]) {
	case "escalate":
		return pathEscalate
	case "type":
		return pathType
	case "end":
		return pathEnd
	default:
		return ""
	}
}

// check refuses ids that cannot be kept as they are. Of an unknown path's they
// are dropped instead, since such a call is never refused for its path.
func (c *call) check() error {
	if c.path == "" {
		if badID(keyConversation, c.conversation, signals.MaxConversationBytes) != nil {
			c.conversation = ""
		}

		return nil
	}

	if err := badID(keyConversation, c.conversation, signals.MaxConversationBytes); err != nil {
		return err
	}

	return badID(keyMessage, c.message, signals.MaxIDBytes)
}

func badID(field, id string, limit int) error {
	switch {
	case len(id) > limit:
		return &signals.FieldError{Field: field, Reason: fmt.Sprintf("is longer than %d bytes", limit)}
	case !utf8.ValidString(id):
		return &signals.FieldError{Field: field, Reason: "is not UTF-8"}
	default:
		return nil
	}
}

// RequestLine returns the method of the call that says event, and its path
// below the callback URL with the ids escaped and the query. For an event of
// another platform it is the call of its type. [dialect.ErrNotEncodable] means
// that there is none.
func RequestLine(event signals.Event) (method, target string, err error) {
	method, path := callFor(event)
	conversation := Base + "/" + wordConversations + "/" + url.PathEscape(event.Conversation) + "/"

	switch {
	case path == pathAvailability, path == pathWaitTime:
		target = Base + "/" + path
		if a := event.Availability; a != nil && a.Skill != "" && method == http.MethodGet {
			target += "?" + url.Values{keySkill: {a.Skill}}.Encode()
		}

		return method, target, nil
	case path == "", event.Conversation == "":
		return "", "", fmt.Errorf("%w: %s", dialect.ErrNotEncodable, event.Type)
	case path == pathEscalate:
		return method, conversation + "escalate", nil
	case path == pathType:
		return method, conversation + "type", nil
	case path == pathEnd:
		return method, conversation + "end", nil
	default:
		id := event.ID
		if event.Message != nil && event.Message.ID != "" {
			id = event.Message.ID
		}

		return method, conversation + wordMessages + "/" + url.PathEscape(id), nil
	}
}

// callFor returns the method and name of an event's call: the one that it came
// by, or the one of its type.
func callFor(event signals.Event) (method, path string) {
	if event.Platform != nil && Events()[event.Platform.Event] == event.Type {
		if method, path, ok := strings.Cut(event.Platform.Event, " "); ok {
			return method, path
		}
	}

	switch event.Type {
	case signals.AvailabilityRequested:
		return http.MethodGet, pathAvailability
	case signals.EscalationRequested:
		return http.MethodPost, pathEscalate
	case signals.TypingChanged:
		return http.MethodPost, pathType
	case signals.MessageReceived:
		return http.MethodPut, pathMessage
	case signals.ConversationClosed:
		return http.MethodPost, pathEnd
	default:
		return "", ""
	}
}
