package policy

import (
	"log/slog"
	"net/url"
	"strings"
	"unicode"
)

// CommandLiveChat is LiveChat's Agent Chat Web API.
const CommandLiveChat = "livechat"

// Command says how Parley tells a source's platform where a chat goes. The zero
// value: it does not, and people are told instead.
type Command struct {
	// Kind is [CommandLiveChat], or empty.
	Kind string `json:"kind,omitempty" yaml:"kind" desc:"the API that takes commands: livechat; empty is none"`
	// URL is empty for the platform's own address.
	URL string `json:"url,omitempty" yaml:"url" desc:"address of that API; empty is the platform's own"`
	// Account goes with a personal access token; without it the token is a
	// bearer's.
	Account string `json:"account,omitempty" yaml:"account" desc:"account id, where the token is a personal access token"`
	Token   string `json:"-"                 yaml:"token"   desc:"what lets Parley into that API" secret:"true"`
}

// LogValue keeps the token out of logs.
func (c Command) LogValue() slog.Value { return slog.StringValue(c.Kind) }

// validate checks the command of a source of this dialect. Its faults quote
// neither the address nor the token.
func (c *Command) validate(f *faults, field, dialect string) {
	if *c == (Command{}) {
		return
	}

	oneOf(f, field+".kind", c.Kind, CommandLiveChat)

	if c.Kind == CommandLiveChat && dialect != DialectLiveChat {
		f.addf(field+".kind", "%s takes no commands about chats of %s", c.Kind, dialect)
	}

	if c.URL != "" {
		checkAPI(f, field+".url", c.URL)
	}

	if c.Account != "" && (strings.Contains(c.Account, ":") || !headerWord(c.Account)) {
		f.addf(field+".account", "must be an account id, without blanks and colons")
	}

	switch {
	case c.Token == "":
		f.addf(field+".token", "is missing")
	case !headerWord(c.Token):
		f.addf(field+".token", "must be printable ASCII without blanks, 1 to %d bytes", maxToken)
	}
}

const maxToken = 2000

// headerWord reports whether a text can be sent as one word of a header.
func headerWord(text string) bool {
	return len(text) <= maxToken && !strings.ContainsFunc(text, func(char rune) bool {
		return char <= ' ' || char > unicode.MaxASCII || unicode.IsControl(char)
	})
}

func checkAPI(f *faults, field, text string) {
	parsed, err := url.Parse(text)

	switch {
	case err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Hostname() == "":
		f.addf(field, "must be an address that begins with https:// or http://")
	case parsed.User != nil:
		f.addf(field, "must not hold a user name or password; use account and token")
	case parsed.RawQuery != "" || parsed.Fragment != "":
		f.addf(field, "must not hold a ?query or a #fragment")
	}
}
