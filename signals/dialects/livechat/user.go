package livechat

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Words of user.type and user_type.
const (
	userAgent    = "agent"
	userCustomer = "customer"
)

// keyLastSeen is how 3.0 and 3.1 wrote events_seen_up_to, in unix seconds.
const keyLastSeen = "last_seen_timestamp"

// user is a User object; rest holds the members that are not below.
type user struct {
	ID            string                     `json:"id"`
	Type          string                     `json:"type"`
	Name          string                     `json:"name"`
	Email         string                     `json:"email"`
	Avatar        string                     `json:"avatar"`
	Present       *bool                      `json:"present"`
	SeenUpTo      string                     `json:"events_seen_up_to"`
	Visibility    string                     `json:"visibility"`
	RoutingStatus string                     `json:"routing_status"`
	CreatedAt     string                     `json:"created_at"`
	EmailVerified *bool                      `json:"email_verified"`
	Phone         string                     `json:"phone_number"`
	LastVisit     json.RawMessage            `json:"last_visit"`
	Statistics    map[string]json.RawMessage `json:"statistics"`
	SessionFields []sessionField             `json:"session_fields"`

	rest           map[string]json.RawMessage
	lastSeenSecond int64
}

// UnmarshalJSON keeps what it has no field for.
func (u *user) UnmarshalJSON(raw []byte) error {
	type plain user

	if err := json.Unmarshal(raw, (*plain)(u)); err != nil {
		return err //nolint:wrapcheck // encoding/json adds the path to its own errors only
	}

	if err := json.Unmarshal(raw, &u.rest); err != nil {
		return err //nolint:wrapcheck // encoding/json adds the path to its own errors only
	}

	var old struct {
		LastSeen int64 `json:"last_seen_timestamp"`
	}

	if err := json.Unmarshal(raw, &old); err != nil {
		return err //nolint:wrapcheck // encoding/json adds the path to its own errors only
	}

	u.lastSeenSecond = old.LastSeen

	for _, known := range [...]string{
		"id", "type", "name", "email", "avatar", "present", "events_seen_up_to", "visibility", "routing_status",
		"created_at", "email_verified", "phone_number", "last_visit", "statistics", "session_fields",
	} {
		delete(u.rest, known)
	}

	return nil
}

// sessionField is a one-key object.
type sessionField struct{ signals.SessionField }

// UnmarshalJSON reads {"key":"value"}; a value that is no string keeps its
// JSON text.
func (f *sessionField) UnmarshalJSON(raw []byte) error {
	var object map[string]json.RawMessage

	if err := json.Unmarshal(raw, &object); err != nil {
		return err //nolint:wrapcheck // encoding/json adds the path to its own errors only
	}

	for key, value := range object {
		f.Key, f.Value = key, string(value)

		var s string
		if json.Unmarshal(value, &s) == nil {
			f.Value = s
		}
	}

	return nil
}

func sessionFields(in []sessionField) []signals.SessionField {
	out := make([]signals.SessionField, 0, len(in))

	for _, field := range in {
		out = append(out, field.SessionField)
	}

	return out
}

// participant translates a user of a chat; userType is that of the payload
// beside it, which only some versions have.
func (d *decoder) participant(path string, u *user, userType string) (signals.Participant, error) {
	if u.ID == "" {
		return signals.Participant{}, signals.Missing(path + ".id")
	}

	if userType == "" {
		userType = u.Type
	}

	seen, err := parseTime(path+".events_seen_up_to", u.SeenUpTo, d.src.Zone)
	if err != nil {
		return signals.Participant{}, err
	}

	if _, old := u.rest[keyLastSeen]; old {
		seen = time.Unix(u.lastSeenSecond, 0).UTC()
	}

	p := signals.Participant{
		ID: u.ID, Role: d.role(u.ID, userType), Name: u.Name, Email: u.Email, Avatar: u.Avatar,
		Visibility: visibility(u.Visibility, ""), Present: u.Present, RoutingStatus: u.RoutingStatus, SeenUpTo: seen,
	}

	if p.Role != signals.RoleVisitor {
		p.Fields = u.rest

		return p, nil
	}

	p.Customer, err = d.customer(path, u)
	if err != nil {
		return signals.Participant{}, err
	}

	// The participant has these already.
	p.Customer.ID, p.Customer.Name, p.Customer.Email, p.Customer.Avatar = "", "", "", ""

	return p, nil
}

// customer translates what LiveChat knows about a visitor.
func (d *decoder) customer(path string, u *user) (*signals.Customer, error) {
	created, err := parseTime(dialect.Join(path, "created_at"), u.CreatedAt, d.src.Zone)
	if err != nil {
		return nil, err
	}

	return &signals.Customer{
		ID: u.ID, Name: u.Name, Email: u.Email, Phone: u.Phone, Avatar: u.Avatar, CreatedAt: created,
		EmailVerified: u.EmailVerified, Fields: u.rest, SessionFields: sessionFields(u.SessionFields),
		LastVisit: u.LastVisit, Statistics: u.Statistics,
	}, nil
}

// role is what the payload's word for a user proves. LiveChat calls its bots
// agents, too: the source's lists and the form of the id tell them apart.
func (d *decoder) role(id, userType string) signals.Role {
	switch {
	case userType == userCustomer:
		return signals.RoleVisitor
	case userType != userAgent:
		return signals.RoleUnknown
	case slices.Contains(d.src.Agents, id):
		return signals.RoleAgent
	case slices.Contains(d.src.Bots, id), signals.RoleByID(Name, id) == signals.RoleBot:
		return signals.RoleBot
	default:
		return signals.RoleAgent
	}
}
