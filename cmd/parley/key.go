package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
)

var (
	errKeyArgs  = errors.New("key new: give the key one name, such as: parley key new dashboard")
	errKeyName  = errors.New("key new: a name has 1 to 40 of a-z, 0-9 and -")
	errKeyScope = errors.New("key new: --scopes takes read, command and raw, separated by commas")
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
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errKeyArgs
			}

			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			if err := checkKey(args[0], scopes); err != nil {
				return err
			}

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

// checkKey says in the words of the command line what the entry's own check
// would say in those of PARLEY_API_KEYS.
func checkKey(name string, scopes []string) error {
	if !signals.ValidName(name) {
		return errKeyName
	}

	known := []string{webhooks.ScopeRead, webhooks.ScopeCommand, webhooks.ScopeRaw}
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(known, scope) }) {
		return errKeyScope
	}

	return nil
}
