// Command composecheck loads a compose file as `docker compose config` would: syntax, schema, references between
// services, volumes and networks, and interpolation. It needs no Docker engine. Beyond that it holds the file to
// three rules of this project: every image is pinned, every published port is bound to an address, and a variable
// that must be set is refused while it is not.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

var (
	errUsage    = errors.New("usage: composecheck docker-compose.yml")
	errPinned   = errors.New("image has no fixed tag")
	errPort     = errors.New("published port is not bound to an address")
	errRequired = errors.New("loaded although a required variable is empty")
	required    = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*):\?`)
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "composecheck:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errUsage
	}

	file, err := filepath.Abs(args[0])
	if err != nil {
		return fmt.Errorf("find compose file: %w", err)
	}

	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read compose file: %w", err)
	}

	var names, settings []string

	for _, match := range required.FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(names, match[1]) {
			names = append(names, match[1])
			settings = append(settings, match[1]+"=set-by-composecheck")
		}
	}

	project, err := load(ctx, file, settings)
	if err != nil {
		return err
	}

	for i, name := range names {
		if _, err := load(ctx, file, slices.Delete(slices.Clone(settings), i, i+1)); err == nil {
			return fmt.Errorf("%w: %s", errRequired, name)
		}
	}

	for _, service := range project.Services {
		if err := check(service); err != nil {
			return fmt.Errorf("service %s: %w", service.Name, err)
		}
	}

	fmt.Printf("%s: services %s; required: %s\n",
		args[0], strings.Join(project.ServiceNames(), ", "), strings.Join(names, ", "))

	return nil
}

func load(ctx context.Context, file string, settings []string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithEnv(settings), cli.WithResolvedPaths(true))
	if err != nil {
		return nil, fmt.Errorf("prepare to load: %w", err)
	}

	project, err := options.LoadProject(ctx)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}

	return project, nil
}

func check(service types.ServiceConfig) error {
	if service.Build == nil {
		_, tag, found := strings.Cut(service.Image[strings.LastIndex(service.Image, "/")+1:], ":")
		if !found || tag == "" || tag == "latest" {
			return fmt.Errorf("%w: %s", errPinned, service.Image)
		}
	}

	for _, port := range service.Ports {
		if port.HostIP == "" {
			return fmt.Errorf("%w: %s", errPort, port.Published)
		}
	}

	return nil
}
