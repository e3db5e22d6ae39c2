package webhooks

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"
)

// Bounds of a page (contract, section 7).
const (
	defaultLimit = 50
	maxLimit     = 200
	// maxParam bounds a filter's value, maxCursor a cursor, in bytes.
	maxParam  = 512
	maxCursor = 8 << 10
)

// pageOf is where a list goes on and how many elements it may bring.
type pageOf struct {
	limit  int
	cursor string
}

// onlyParams returns the query, each parameter once. One that the route does
// not know is an error, since ignoring a misspelt filter would show too much.
func onlyParams(c *fiber.Ctx, known ...string) (url.Values, error) {
	query, err := queryOf(c)
	if err != nil {
		return nil, err
	}

	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			return nil, invalid(name, "is no parameter of this path")
		case len(values) > 1:
			return nil, invalid(name, "is given more than once")
		case name != "cursor" && len(values[0]) > maxParam:
			return nil, invalid(name, "is longer than "+strconv.Itoa(maxParam)+" bytes")
		}
	}

	return query, nil
}

// listParams is [onlyParams] for a list, with its page.
func listParams(c *fiber.Ctx, known ...string) (url.Values, pageOf, error) {
	query, err := onlyParams(c, append(known, "limit", "cursor")...)
	if err != nil {
		return nil, pageOf{}, err
	}

	page := pageOf{limit: defaultLimit, cursor: query.Get("cursor")}

	if text := query.Get("limit"); text != "" {
		if page.limit, err = strconv.Atoi(text); err != nil || page.limit < 1 || page.limit > maxLimit {
			return nil, pageOf{}, invalid("limit", "must be from 1 to "+strconv.Itoa(maxLimit))
		}
	}

	if len(page.cursor) > maxCursor {
		return nil, pageOf{}, invalid("cursor", "is none that this list gave out")
	}

	return query, page, nil
}

// listProblem tells a bad cursor, which is the caller's fault, from the rest.
func listProblem(doing string, err error) error {
	if errors.Is(err, ErrBadCursor) {
		return invalid("cursor", "is none that this list gave out")
	}

	return fmt.Errorf("%s: %w", doing, err)
}

// listCursor is what the cursor of the list of conversations says: whether
// it goes on among the open or the closed ones, and where. It stands for one
// filter only.
type listCursor struct {
	Closed bool   `json:"c,omitempty"`
	Open   []byte `json:"o,omitempty"`
	Store  string `json:"s,omitempty"`
	Filter string `json:"f"`
}

func (l listCursor) encode() (string, error) {
	raw, err := json.Marshal(l)
	if err != nil {
		return "", err //nolint:wrapcheck // bytes and strings always marshal
	}

	return base64.RawURLEncoding.EncodeToString(raw), nil
}

func decodeCursor(text, filter string) (listCursor, error) {
	out := listCursor{Filter: filter}
	if text == "" {
		return out, nil
	}

	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &out) != nil || out.Filter != filter {
		return listCursor{}, invalid("cursor", "is none that this list gave out")
	}

	return out, nil
}
