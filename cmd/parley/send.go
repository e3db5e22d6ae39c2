package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/workflows/policy"
)

var errRefused = errors.New("the gateway answered")

// sendFlags are the flags of `parley send`.
type sendFlags struct {
	url    string
	path   string
	shape  shape
	source string
	what   string
}

// newSendCommand makes `parley send`; environ is the environment.
func newSendCommand(environ map[string]string) *cobra.Command {
	var flags sendFlags

	command := &cobra.Command{
		Use:   "send SOURCE [FILE|SAMPLE|-]",
		Short: "Post a webhook to a running gateway as the source's platform would",
		Long: "Posts a file, a built-in sample or stdin to a gateway, signed with the first secret that the configuration has\n" +
			"for the source, in the way of the source's platform. Ids and times are made new, so that it is a new event, and\n" +
			"--conversation puts another chat into it. Built in are:\n\n" + listSamples() + "\n" +
			"Prints the answer, and the address of the conversation. Exits with 1 if the answer is not 2xx.",
		Example: "  parley send livechat incoming_event --conversation MYCHAT\n" +
			"  parley send parley my-event.json --fresh=false\n" +
			"  parley send pypestream message --conversation c-1\n" +
			"  parley send livechat event.json --path /incoming_event",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(command *cobra.Command, args []string) error {
			flags.source, flags.shape.now = args[0], time.Now()
			if len(args) > 1 {
				flags.what = args[1]
			}

			return send(command.Context(), flags, lookupIn(environ), command.InOrStdin(), command.OutOrStdout())
		},
	}

	command.Flags().StringVar(&flags.url, "url", "", "address of the gateway (default http:// and "+addrVariable+")")
	command.Flags().StringVar(&flags.path, "path", "", "what follows /webhooks/SOURCE, such as /incoming_event")
	command.Flags().StringVar(&flags.shape.conversation, "conversation", "", "id to put in place of the chat's")
	command.Flags().StringVar(&flags.shape.thread, "thread", "", "LiveChat's thread id to put; follows from --conversation")
	command.Flags().BoolVar(&flags.shape.fresh, "fresh", true, "new event ids and current times")

	return command
}

func listSamples() string {
	var out strings.Builder

	for _, name := range policy.Dialects() {
		fmt.Fprintf(&out, "  %-11s %s\n", name, strings.Join(sampleNames(name), ", "))
	}

	return out.String()
}

// send posts one webhook and shows the answer.
func send(ctx context.Context, flags sendFlags, lookup lookupEnv, stdin io.Reader, stdout io.Writer) error {
	source, err := configuredSource(flags.source, lookup)
	if err != nil {
		return err
	}

	base, err := gatewayURL(flags.url, lookup)
	if err != nil {
		return err
	}

	req, err := prepare(source, &flags, stdin)
	if err != nil {
		return err
	}

	place, _ := credentialPlace(source.Dialect.Name(), source.Source, req.Body)
	signed := "not signed: the source has no secrets"

	if len(source.Secrets) > 0 {
		signed = fmt.Sprintf("signed with secret 1 of %d: %s", len(source.Secrets), place)
	}

	target := webhookURL(base, source.Name, &req)

	if _, err := fmt.Fprintf(stdout, "%s %s  (%s)\n", req.Method, target, signed); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	status, answer, err := post(ctx, target, &req)
	if err != nil {
		return err
	}

	shown := []string{harmless(status.text)}
	if len(answer) > 0 {
		shown = append(shown, harmless(string(answer)))
	}

	if status.good() {
		for _, path := range conversationPaths(source, &req) {
			shown = append(shown, "conversation  "+strings.TrimSuffix(base.String(), "/")+path)
		}
	}

	if _, err := fmt.Fprintln(stdout, strings.Join(shown, "\n")); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	if !status.good() {
		return fmt.Errorf("send: %w %s", errRefused, harmless(status.text))
	}

	return nil
}

// prepare reads, rewrites and signs what is to be sent.
func prepare(source *webhooks.Source, flags *sendFlags, stdin io.Reader) (dialects.Request, error) {
	body, name, err := readSent(flags.what, source.Dialect.Name(), stdin)
	if err != nil {
		return dialects.Request{}, err
	}

	req, err := webhookRequest(source, flags.path, name, body, flags.shape.now)
	if err != nil {
		return req, err
	}

	if err := flags.shape.apply(&req, source.Dialect.Name(), source.Zone); err != nil {
		return req, err
	}

	sign, err := signerOf(source.Dialect, source.Source)
	if err != nil {
		return req, err
	}

	err = sign(&req, flags.shape.now)

	return req, err
}
