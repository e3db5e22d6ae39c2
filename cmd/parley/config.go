package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

const (
	outputText = "text"
	outputJSON = "json"
)

var errOutput = errors.New("--output must be text or json")

// newConfigCommand makes `parley config`. The structs are those that the process
// fills from the environment; environ is the environment.
func newConfigCommand(configs []envConfig, environ map[string]string) *cobra.Command {
	var (
		output string
		demo   bool
	)

	command := &cobra.Command{
		Use:   "config",
		Short: "Show every setting, its value and where it comes from",
		Long: "Shows what the process reads from the environment, and what the configuration file (PARLEY_CONFIG, else\n" +
			"parley.yaml if it exists) says, defaults included. Secrets are masked.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			shown, err := collectSettings(configs, environ, demo)
			if err != nil {
				return err
			}

			for _, line := range shown.stray {
				if _, err := fmt.Fprintln(command.ErrOrStderr(), "warning: "+line); err != nil {
					return fmt.Errorf("print: %w", err)
				}
			}

			switch output {
			case outputText:
				return shown.text(command.OutOrStdout())
			case outputJSON:
				return shown.json(command.OutOrStdout())
			default:
				return errOutput
			}
		},
	}

	command.Flags().StringVarP(&output, "output", "o", outputText, "text or json")
	command.Flags().BoolVar(&demo, "demo", false, "show what a start with --demo runs under")
	command.AddCommand(newConfigCheckCommand(environ))

	return command
}

// newConfigCheckCommand makes `parley config check`.
func newConfigCheckCommand(environ map[string]string) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a configuration file and change nothing",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			file, err := checkedFile(args, lookupIn(environ))
			if err != nil {
				return err
			}

			book, err := file.Book(false)
			if err != nil {
				return err
			}

			sources, err := edgeSources(book, file.sources != nil)
			if err != nil {
				return err
			}

			line := "no configuration file: the defaults hold"
			if file.Path != "" {
				// There are two policies at least, default and demo.
				line = fmt.Sprintf("%s is valid: %s, %d policies, %s, %s", file.Path, counted(len(sources), "source"),
					len(book.Policies()), counted(len(file.Desks), "desk"), counted(len(file.Channels), "channel"))
			}

			if _, err := fmt.Fprintln(command.OutOrStdout(), line); err != nil {
				return fmt.Errorf("print: %w", err)
			}

			return nil
		},
	}
}

func checkedFile(args []string, lookup lookupEnv) (*configFile, error) {
	if len(args) == 1 {
		return loadConfigFile(args[0], lookup)
	}

	return findConfigFile(lookup)
}

func lookupIn(environ map[string]string) lookupEnv {
	return func(name string) (string, bool) {
		value, set := environ[name]

		return value, set
	}
}

// shownSettings is what `parley config` prints.
type shownSettings struct {
	File        string    `json:"file"`
	Environment []setting `json:"environment"`
	Settings    []setting `json:"settings"`

	stray []string
}

func collectSettings(configs []envConfig, environ map[string]string, demo bool) (*shownSettings, error) {
	for _, each := range configs {
		fresh := reflect.New(indirect(reflect.TypeOf(each.config))).Interface()
		if err := parseEnv(envConfig{prefix: each.prefix, config: fresh}, environ); err != nil {
			return nil, err
		}
	}

	file, err := findConfigFile(lookupIn(environ))
	if err != nil {
		return nil, err
	}

	book, err := file.Book(demo)
	if err != nil {
		return nil, err
	}

	variables := envVariables(configs)
	variables = append(variables, without(temporalVariables(), variables)...)

	return &shownSettings{
		File: file.Path, Environment: envSettings(variables, environ), Settings: fileSettings(file, book, demo),
		stray: strayVariables(variables, environ, file.Variables),
	}, nil
}

// without drops the variables that are among others.
func without(variables, others []envVariable) []envVariable {
	out := []envVariable{}

	for _, variable := range variables {
		if !containsVariable(others, variable.name) {
			out = append(out, variable)
		}
	}

	return out
}

func (s *shownSettings) json(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")

	if err := encoder.Encode(s); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

func (s *shownSettings) text(out io.Writer) error {
	const gap = 2

	table := tabwriter.NewWriter(out, 0, 0, gap, ' ', 0)
	file := "Configuration file: " + s.File

	if s.File == "" {
		file = "Configuration file: none, the defaults hold"
	}

	lines := append([]string{"Environment", ""}, rows(s.Environment)...)
	lines = append(lines, "", file, "")
	lines = append(lines, rows(s.Settings)...)

	for _, line := range lines {
		if _, err := fmt.Fprintln(table, line); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}

	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

func rows(settings []setting) []string {
	out := make([]string, 0, 1+len(settings))
	out = append(out, "NAME\tVALUE\tSOURCE\tDESCRIPTION")

	for _, row := range settings {
		value := row.Value
		if value == "" {
			value = `""`
		}

		out = append(out, strings.Join([]string{row.Name, value, row.Source, row.Description}, "\t"))
	}

	return out
}
