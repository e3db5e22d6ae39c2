package platform

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

// Where LiveChat's API is, and the version that is spoken unless the address
// names another; 3.3 and later take the same commands.
const (
	liveChatURL     = "https://api.livechatinc.com"
	liveChatVersion = "/v3.6"
	liveChatActions = "/agent/action/"
	regionHeader    = "X-Region"
)

// Bounds of what others wrote and errors show, in bytes.
const (
	maxQuoted = 60
	maxWhy    = 200
)

// liveChatAPI makes requests to the Agent Chat Web API.
type liveChatAPI struct {
	base string
	host string
	// auth is the header that lets Parley in.
	auth   string
	region string
	// secrets are what no error may repeat.
	secrets []string
	poster  Poster
	now     func() time.Time
}

// newLiveChat returns the commands of a LiveChat account. A personal access
// token goes with its account id by Basic authentication, another token as a
// bearer's.
func newLiveChat(config policy.Command, poster Poster) (*livechat, error) {
	address := config.URL
	if address == "" {
		address = liveChatURL
	}

	target, err := outbound.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}

	if strings.Trim(target.Path, "/") == "" {
		target.Path = liveChatVersion
	}

	if config.Token == "" {
		return nil, signals.Missing("token")
	}

	api := &liveChatAPI{
		base: strings.TrimRight(target.String(), "/") + liveChatActions, host: target.Host, auth: "Bearer " + config.Token,
		region: regionOf(config.Token), secrets: []string{config.Token, url.QueryEscape(config.Token)}, poster: poster, now: time.Now,
	}

	if config.Account != "" {
		credentials := base64.StdEncoding.EncodeToString([]byte(config.Account + ":" + config.Token))
		api.auth = "Basic " + credentials
		api.secrets = append(api.secrets, credentials)
	}

	return &livechat{api: api}, nil
}

// regionOf is the data center that a token names by its prefix, dal: or fra:.
// Tokens of bots have none.
func regionOf(token string) string {
	prefix, _, ok := strings.Cut(token, ":")
	if !ok || !isRegion(prefix) {
		return ""
	}

	return prefix
}

func isRegion(text string) bool {
	const longest = 8

	return text != "" && len(text) <= longest && !strings.ContainsFunc(text, func(char rune) bool { return char < 'a' || char > 'z' })
}

// call makes one request and returns, for people, how it went.
func (a *liveChatAPI) call(ctx context.Context, action string, payload any, maxAnswer int) (string, error) {
	response, err := a.read(ctx, action, payload, maxAnswer)
	if err != nil {
		return "", err
	}

	return fmt.Sprintf("%d %s in %s", response.Status, http.StatusText(response.Status), response.Took.Round(time.Millisecond)), nil
}

// read makes one request and returns the answer if it is none of refusal. A
// request that came to the wrong data center is repeated once at the right one.
func (a *liveChatAPI) read(ctx context.Context, action string, payload any, maxAnswer int) (*outbound.Response, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, outbound.Permanent("the command cannot be written as JSON")
	}

	request := &outbound.Request{URL: a.base + action, Body: body, MaxAnswer: maxAnswer, Header: http.Header{
		"Content-Type": {"application/json"}, "Authorization": {a.auth},
	}}
	region := a.region

	for {
		if region != "" {
			request.Header.Set(regionHeader, region)
		}

		response, err := a.poster.Post(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", action, err)
		}

		if response.Status >= http.StatusOK && response.Status < http.StatusMultipleChoices {
			return response, nil
		}

		said := readRefusal(response.Body)
		elsewhere := said.region()

		if said.Type != "misdirected_request" || !isRegion(elsewhere) || region != a.region || elsewhere == region {
			return nil, a.explain(action, response, said)
		}

		region = elsewhere
	}
}

// refusal is LiveChat's form of an error.
type refusal struct {
	Type    string          `json:"type"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// readRefusal reads an error; one that is not of the form is empty.
func readRefusal(body []byte) refusal {
	var answer struct {
		Error refusal `json:"error"`
	}

	if json.Unmarshal(body, &answer) != nil {
		return refusal{}
	}

	return answer.Error
}

// region is the data center that a misdirected request should go to.
func (r *refusal) region() string {
	var data struct {
		Region string `json:"region"`
	}

	if json.Unmarshal(r.Data, &data) != nil {
		return ""
	}

	return data.Region
}

// passes reports whether LiveChat says, by the type of its error or by the
// status, that a later attempt may succeed.
func (r *refusal) passes(status int) bool {
	switch r.Type {
	case "internal", "request_timeout", "service_unavailable", "too_many_requests", "pending_requests_limit_reached":
		return true
	}

	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	default:
		return status < http.StatusBadRequest || status >= http.StatusInternalServerError
	}
}

// explain makes a failure of a refusal: its reason is the platform's own.
func (a *liveChatAPI) explain(action string, response *outbound.Response, said refusal) error {
	failure, ok := errors.AsType[*outbound.Failure](outbound.Judge(response, a.now()))
	if !ok {
		failure = outbound.Temporary("")
	}

	failure.Permanent = !said.passes(response.Status)
	failure.Reason = a.host + ": " + action + ": " + strconv.Itoa(response.Status)

	for _, part := range []string{said.Type, said.Message} {
		if part = a.clean(part); part != "" {
			failure.Reason += " " + part
		}
	}

	if said.Type == "" && said.Message == "" {
		failure.Reason += " " + http.StatusText(response.Status)
	}

	return failure
}

// clean makes a text of the platform's fit to be shown: one line, short, and
// without the token, should it be repeated.
func (a *liveChatAPI) clean(text string) string {
	for _, secret := range a.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}

	text = strings.Map(func(char rune) rune {
		if !unicode.IsPrint(char) {
			return ' '
		}

		return char
	}, strings.ToValidUTF8(text, ""))

	return signals.Cut(strings.TrimSpace(text), maxWhy)
}

// isRefusal reports whether the platform refused for good with these words.
func isRefusal(err error, words string) bool {
	failure, ok := errors.AsType[*outbound.Failure](err)

	return ok && failure.Permanent && strings.Contains(failure.Reason, words)
}
