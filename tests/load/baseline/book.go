package baseline

import (
	"fmt"
	"os"

	"github.com/goccy/go-yaml"

	"github.com/parleyhq/parley/workflows/policy"
)

// configVariable names the configuration file.
const configVariable = "PARLEY_CONFIG"

// File is as much of Parley's configuration file as the benchmark uses.
type File struct {
	Policies map[string]Policy `yaml:"policies"`
	Sources  map[string]Source `yaml:"sources"`
}

// Policy is as much of a policy.
type Policy struct {
	Unreplied struct {
		First  policy.Duration `yaml:"first"`
		Repeat policy.Duration `yaml:"repeat"`
	} `yaml:"unreplied"`
	Closeout struct {
		Grace policy.Duration `yaml:"grace"`
	} `yaml:"closeout"`
}

// Source is as much of a source.
type Source struct {
	Dialect string `yaml:"dialect"`
	Policy  string `yaml:"policy"`
}

// ReadFile reads a configuration file that says nothing else.
func ReadFile(text []byte) (*File, error) {
	var file File
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.DisallowUnknownField()); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}

	return &file, nil
}

// readBook makes of the file the policies that Parley makes of it.
func readBook() (*policy.Book, error) {
	text, err := os.ReadFile(os.Getenv(configVariable))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}

	file, err := ReadFile(text)
	if err != nil {
		return nil, err
	}

	config := policy.Config{Policies: make(map[string]policy.Layer, len(file.Policies))}

	for name, said := range file.Policies {
		config.Policies[name] = func(p *policy.Policy) error {
			p.Unreplied.First, p.Unreplied.Repeat = said.Unreplied.First, said.Unreplied.Repeat
			p.Closeout.Grace = said.Closeout.Grace

			return nil
		}
	}

	for name, said := range file.Sources {
		source := policy.NewSource(name)
		source.Dialect = said.Dialect

		if said.Policy != "" {
			source.Policy = said.Policy
		}

		config.Sources = append(config.Sources, source)
	}

	book, err := policy.NewBook(config)
	if err != nil {
		return nil, fmt.Errorf("use the configuration: %w", err)
	}

	return book, nil
}
