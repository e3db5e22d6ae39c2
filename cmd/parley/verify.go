package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
)

var (
	errHeader      = errors.New("--header must be of the form 'Name: value'")
	errNotVerified = errors.New("the webhook is refused")
)

// verifyFlags are the flags of `parley verify`.
type verifyFlags struct {
	path    string
	headers []string
	indent  bool
}

// newVerifyCommand makes `parley verify`; environ is the environment.
func newVerifyCommand(environ map[string]string) *cobra.Command {
	var flags verifyFlags

	command := &cobra.Command{
		Use:   "verify SOURCE < BODY",
		Short: "Explain why a webhook does or does not verify, and what it decodes to",
		Long: "Reads a webhook's body from stdin and says on stderr, step by step, what Parley makes of it for this source of the\n" +
			"configuration: what the body is, where the credential was looked for, which secret fits. The events that it\n" +
			"decodes to go to stdout, one canonical JSON object per line, without the raw body. Nothing is sent, no secret\n" +
			"is shown. Exits with 1 if the webhook would be refused.\n\n" +
			"Give the body byte for byte as it came: signatures are over its bytes.",
		Example: "  parley verify livechat < incoming_event.json\n" +
			"  parley verify inbenta --header 'X-Hook-Signature: 9f86d0…' < body.json\n" +
			"  parley verify livechat --path /incoming_event --header 'Authorization: Bearer …' < bare.json",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			source, err := configuredSource(args[0], lookupIn(environ))
			if err != nil {
				return err
			}

			body, err := readBounded(command.InOrStdin(), "stdin")
			if err != nil {
				return err
			}

			return verify(source, flags, body, time.Now(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}

	command.Flags().StringVar(&flags.path, "path", "", "what follows /webhooks/SOURCE in the request, such as /incoming_event")
	command.Flags().StringArrayVar(&flags.headers, "header", nil, "a header of the request, 'Name: value'; may be repeated")
	command.Flags().BoolVar(&flags.indent, "indent", false, "indent the events")

	return command
}

// verify explains one webhook; the error is why it would be refused.
func verify(source *webhooks.Source, flags verifyFlags, body []byte, now time.Time, stdout, stderr io.Writer) error {
	req, err := webhookRequest(source, flags.path, "", body, now)
	if err != nil {
		return err
	}

	if err := addHeaders(req.Header, flags.headers); err != nil {
		return err
	}

	lines, refused := steps(source, &req)

	events, err := source.Dialect.Decode(req, source.Source)
	if err == nil {
		lines = append(lines, line("decoded", "%s", counted(len(events), "event")))
	} else {
		lines = append(lines, line("decoded", "FAIL: %s", harmless(err.Error())))
		refused = errors.Join(refused, err)
	}

	if refused != nil {
		status := source.Dialect.Refuse(req, firstOf(refused)).Status
		lines = append(lines, line("answer", "%d %s", status, http.StatusText(status)))
	}

	if _, err := io.WriteString(stderr, strings.Join(lines, "")); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	if err := printEvents(stdout, events, flags.indent); err != nil {
		return err
	}

	if refused != nil {
		return fmt.Errorf("verify %s: %w: %s", source.Name, errNotVerified, harmless(firstOf(refused).Error()))
	}

	return nil
}

// firstOf returns what a gateway would have stopped at.
func firstOf(joined error) error { return flatten(joined)[0] }

func addHeaders(header http.Header, said []string) error {
	for _, each := range said {
		name, value, ok := strings.Cut(each, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return errHeader
		}

		header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}

	return nil
}

// printEvents leaves out the raw body, which the caller has. What a visitor
// wrote is escaped where it could command a terminal.
func printEvents(out io.Writer, events []signals.Event, indent bool) error {
	var text strings.Builder

	encoder := json.NewEncoder(&text)

	if indent {
		encoder.SetIndent("", "  ")
	}

	for i := range events {
		event := events[i]
		event.Raw = nil

		if err := encoder.Encode(event); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}

	if _, err := io.WriteString(out, escaped(text.String())); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// escaped writes what is not printable as JSON does; it stands in strings only.
func escaped(text string) string {
	var out strings.Builder

	for _, r := range text {
		if r == '\n' || unicode.IsPrint(r) {
			out.WriteRune(r)

			continue
		}

		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}

	return out.String()
}

// line is one step of the explanation.
func line(what, format string, args ...any) string {
	return fmt.Sprintf("%-11s %s\n", what, fmt.Sprintf(format, args...))
}
