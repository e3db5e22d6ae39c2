package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/workflows/policy"
)

var (
	errNoConversation = errors.New("--conversation: this webhook names no conversation that could be replaced")
	errNoJSON         = errors.New("the body is no JSON; send it as it is with --fresh=false and without --conversation")
)

// shape says what becomes of a webhook before it is sent.
type shape struct {
	conversation string
	// thread is empty for one that belongs to the conversation.
	thread string
	// fresh makes it a new event of this moment.
	fresh bool
	now   time.Time
}

// object is a JSON object whose numbers are exact.
type object = map[string]any

// shaper rewrites one webhook.
type shaper struct {
	shape

	req  *dialects.Request
	zone *time.Location
	body any
	// named says that the webhook names a conversation.
	named bool
	// count makes ids of one webhook differ.
	count int64
}

// apply rewrites a request in place. Without anything to replace its bytes stay
// as they are.
func (s shape) apply(req *dialects.Request, dialect string, zone *time.Location) error {
	if s.conversation == "" && s.thread == "" && !s.fresh {
		return nil
	}

	worker := &shaper{shape: s, req: req, zone: zone}
	worker.now = s.now.UTC()

	if worker.zone == nil {
		worker.zone = time.UTC
	}

	if dialect == policy.DialectPypestream { // which says everything in the path
		return worker.pypestream()
	}

	if err := worker.read(); err != nil {
		return err
	}

	if rewrite := worker.rewriters()[dialect]; rewrite != nil {
		rewrite()
	}

	if s.conversation != "" && !worker.named {
		return errNoConversation
	}

	var err error

	req.Body, err = writeJSON(worker.body)

	return err
}

func (s *shaper) rewriters() map[string]func() {
	return map[string]func(){
		policy.DialectLiveChat: s.livechat,
		policy.DialectParley:   s.parley,
		policy.DialectInbenta:  s.inbenta,
		policy.DialectAcquire:  s.acquire,
		policy.DialectTWT:      s.twt,
	}
}

func (s *shaper) read() error {
	decoder := json.NewDecoder(bytes.NewReader(s.req.Body))
	decoder.UseNumber()

	if err := decoder.Decode(&s.body); err != nil {
		return errNoJSON
	}

	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errNoJSON
	}

	return nil
}

// top is the body if it is an object, else an empty one.
func (s *shaper) top() object {
	top, _ := s.body.(object)

	return top
}

// put names the conversation at a key that is there.
func (s *shaper) put(in object, key string) {
	if _, there := in[key]; !there {
		return
	}

	s.named = true

	if s.conversation != "" {
		in[key] = s.conversation
	}
}

// number is one that no webhook before had, and no other of this webhook.
func (s *shaper) number() string {
	s.count++

	return strconv.FormatInt(s.now.UnixMicro()+s.count, 10)
}

// threadOf is the thread of a conversation whose thread nobody said, so that
// webhooks that are sent one by one belong together; none has none.
func threadOf(conversation string) string {
	const length = 10

	if conversation == "" {
		return ""
	}

	sum := sha256.Sum256([]byte(conversation))

	return "T" + strings.ToUpper(hex.EncodeToString(sum[:]))[:length-1]
}

// at returns the object at a path of keys; an empty one where there is none.
func at(in object, keys ...string) object {
	for _, key := range keys {
		in, _ = in[key].(object)
	}

	if in == nil {
		return object{}
	}

	return in
}

// objects returns the objects of an array.
func objects(value any) []object {
	list, _ := value.([]any)
	out := make([]object, 0, len(list))

	for _, each := range list {
		if one, ok := each.(object); ok {
			out = append(out, one)
		}
	}

	return out
}

// text returns a string, or "".
func text(in object, key string) string {
	said, _ := in[key].(string)

	return said
}

// renew writes the current time at a key that is there, in a layout.
func (s *shaper) renew(in object, key string, value any) {
	if _, there := in[key]; there && s.fresh {
		in[key] = value
	}
}

// shiftTimes moves times so that the newest is now and the distances stay. A
// time that cannot be read becomes now.
func (s *shaper) shiftTimes(all []object, key string, read func(string) (time.Time, error), write func(time.Time) string) {
	var newest time.Time

	times := make([]time.Time, len(all))

	for i, one := range all {
		moment, err := read(text(one, key))
		if err == nil {
			times[i] = moment
		}

		if times[i].After(newest) {
			newest = times[i]
		}
	}

	for i, one := range all {
		moment := s.now
		if !times[i].IsZero() {
			moment = s.now.Add(times[i].Sub(newest))
		}

		one[key] = write(moment)
	}
}

// pypestream names the conversation and the message in the path.
func (s *shaper) pypestream() error {
	words := strings.Split(strings.Trim(s.req.EscapedPath(), "/"), "/")
	const wordsBefore, message = 3, 5

	named := len(words) > wordsBefore && strings.EqualFold(words[2], "conversations")

	switch {
	case s.conversation != "" && !named:
		return errNoConversation
	case s.conversation != "":
		words[wordsBefore] = url.PathEscape(s.conversation)
	}

	if s.fresh && len(words) > message && strings.EqualFold(words[4], "messages") {
		words[message] = uuid.NewString()
	}

	path, err := url.PathUnescape("/" + strings.Join(words, "/"))
	if err != nil {
		return fmt.Errorf("%w: %w", errPath, err)
	}

	s.req.Path, s.req.RawPath = path, "/"+strings.Join(words, "/")

	return nil
}
