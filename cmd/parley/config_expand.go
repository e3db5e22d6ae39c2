package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	errVariable = errors.New("variable")

	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// expander puts environment variables into the texts of a configuration file:
// ${NAME} is the variable's value, which must be set; $${ is ${ itself.
type expander struct {
	lookup func(name string) (string, bool)
	// used are the names of the variables that the file asked for.
	used []string
}

// variable is an environment variable that a text of the file uses.
type variable struct {
	name, value string
}

// expand returns the text with the variables' values, and which they are.
func (e *expander) expand(text string) (string, []variable, error) {
	const open = "${"

	var (
		out  strings.Builder
		uses []variable
	)

	for {
		at := strings.Index(text, open)
		if at < 0 {
			out.WriteString(text)

			return out.String(), uses, nil
		}

		out.WriteString(text[:at])

		if at > 0 && text[at-1] == '$' {
			// The first $ of $${ is out already; it stands for itself.
			out.WriteString("{")

			text = text[at+len(open):]

			continue
		}

		name, rest, closed := strings.Cut(text[at+len(open):], "}")
		if !closed || !variableName.MatchString(name) {
			return "", nil, fmt.Errorf("%w: ${ must be followed by a name and }; for ${ itself write $${", errVariable)
		}

		value, set := e.lookup(name)
		if !set {
			return "", nil, fmt.Errorf("%w %s is not set in the environment", errVariable, name)
		}

		if !slices.Contains(e.used, name) {
			e.used = append(e.used, name)
		}

		uses = append(uses, variable{name: name, value: value})

		out.WriteString(value)

		text = rest
	}
}
