package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/workflows/policy"
)

// banner is what a newcomer reads first: what runs, where, and what to try.
type banner struct {
	Version   string
	DataDir   string
	Demo      bool
	Policy    policy.Policy
	HTTP      string
	UI        string
	GRPC      string
	Namespace string
	Sources   []webhooks.Source
	Desks     int
	Keys      bool
	Took      time.Duration
	Now       time.Time
}

func (b *banner) print(out io.Writer) error {
	var text strings.Builder

	name := policy.DefaultName
	if b.Demo {
		name = policy.DemoName
	}

	fmt.Fprintf(&text, "\nParley %s is up after %.1f s\n\n", b.Version, b.Took.Seconds())
	fmt.Fprintf(&text, "  data      %s\n", b.DataDir)
	fmt.Fprintf(&text, "  policy    %s: push %s after a visitor's message, then every %s, at most %d; ticket %s after the close\n",
		name, b.Policy.Unreplied.First, b.Policy.Unreplied.Repeat, b.Policy.Unreplied.Max, b.Policy.Closeout.Grace)

	if b.Desks > 0 {
		fmt.Fprintf(&text, "  desks     %d\n", b.Desks)
	}

	for i := range b.Sources {
		label := "webhooks"
		if i > 0 {
			label = ""
		}

		fmt.Fprintf(&text, "  %-9s http://%s/webhooks/%s  (%s, %s)\n", label, b.HTTP, b.Sources[i].Name,
			b.Sources[i].Dialect.Name(), secretText(len(b.Sources[i].Secrets)))
	}

	fmt.Fprintf(&text, "  API       http://%s/docs%s\n", b.HTTP, map[bool]string{true: "  (API keys required)"}[b.Keys])

	if b.UI != "" {
		fmt.Fprintf(&text, "  Temporal  http://%s  (UI), %s (gRPC)\n", b.UI, b.GRPC)
	} else {
		fmt.Fprintf(&text, "  Temporal  %s, namespace %s\n", b.GRPC, b.Namespace)
	}

	b.try(&text)

	if _, err := io.WriteString(out, text.String()); err != nil {
		return fmt.Errorf("print the banner: %w", err)
	}

	return nil
}

// tryCurl works with curl's own content type.
const tryCurl = `  curl http://%[1]s/webhooks/%[2]s -d '{"action":"incoming_event","payload":{"chat_id":"%[3]s",
    "thread_id":"T%[3]s","event":{"id":"T%[3]s_1","type":"message","text":"Is anyone there?","visibility":"all",
    "created_at":"%[4]s","author_id":"b7eff798-f8df-4364-8059-649c35c9ed0c"}}}'
`

// try shows a webhook with fresh ids, so that each start shows a new
// conversation, and where to watch it.
func (b *banner) try(text *strings.Builder) {
	for i := range b.Sources {
		source := &b.Sources[i]
		if source.Dialect.Name() != policy.DialectLiveChat || len(source.Secrets) > 0 {
			continue
		}

		id := strings.ToUpper(fmt.Sprintf("P%x", b.Now.Unix()))
		key := signals.Key{Source: source.Name, Conversation: id}

		fmt.Fprintf(text, "\nTry a visitor's message as LiveChat sends it:\n\n")
		fmt.Fprintf(text, tryCurl, b.HTTP, source.Name, id, b.Now.UTC().Format("2006-01-02T15:04:05.000000Z"))

		if b.UI != "" {
			fmt.Fprintf(text, "\nand watch it: http://%s/namespaces/%s/workflows/%s\n", b.UI, b.Namespace, key.WorkflowID())
		}

		break
	}

	text.WriteString("\n")
}

func secretText(count int) string {
	switch count {
	case 0:
		return "no secret: from this machine only"
	case 1:
		return "1 secret"
	default:
		return fmt.Sprintf("%d secrets", count)
	}
}
