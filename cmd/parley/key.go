package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parleyhq/parley/webhooks"
)

func newKeyCommand() *cobra.Command {
	command := &cobra.Command{Use: "key", Short: "Make API keys"}
	command.AddCommand(newKeyNewCommand())

	return command
}

// newKeyNewCommand prints a token once; only its hash is configured.
func newKeyNewCommand() *cobra.Command {
	var scopes []string

	command := &cobra.Command{
		Use:   "new NAME",
		Short: "Make an API key: a token for its user, an entry for PARLEY_API_KEYS",
		Long: "Makes an API key. The token goes to its user, who sends it as `Authorization: Bearer TOKEN`; it is shown\n" +
			"only now. The entry goes into PARLEY_API_KEYS, several separated by commas; it holds only the token's SHA-256.",
		Example: "  parley key new dashboard --scopes read\n  parley key new agent-desk --scopes read,command",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			token, entry, err := webhooks.NewKey(args[0], scopes)
			if err != nil {
				return fmt.Errorf("key new: %w", err)
			}

			_, err = fmt.Fprintf(command.OutOrStdout(), "token  %s\nentry  %s\n", token, entry)
			if err != nil {
				return fmt.Errorf("key new: print: %w", err)
			}

			return nil
		},
	}

	usual := []string{webhooks.ScopeRead, webhooks.ScopeCommand}
	command.Flags().StringSliceVar(&scopes, "scopes", usual,
		"what the key may do: "+strings.Join(usual, ", ")+", "+webhooks.ScopeRaw)

	return command
}
