package main

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/parleyhq/parley/signals/spelling"
)

// envConfig is a struct whose fields carry env, envDefault, desc and secret
// tags, and what stands in front of their names. Its fields without an env tag
// that are structs are looked into.
type envConfig struct {
	prefix string
	config any
}

// envVariable is one environment variable that the process reads.
type envVariable struct {
	name        string
	byDefault   string
	description string
	secret      bool
}

// errEnvironment says that an environment variable has a value of a wrong form,
// or one out of its range.
var errEnvironment = errors.New("environment")

// envVariables lists the variables of all structs, in their order, each once.
func envVariables(configs []envConfig) []envVariable {
	var out []envVariable

	for _, each := range configs {
		walkEnv(indirect(reflect.TypeOf(each.config)), each.prefix, func(found envVariable, _ reflect.StructField) {
			if !containsVariable(out, found.name) {
				out = append(out, found)
			}
		})
	}

	return out
}

func containsVariable(variables []envVariable, name string) bool {
	return slices.ContainsFunc(variables, func(other envVariable) bool { return other.name == name })
}

func walkEnv(t reflect.Type, prefix string, visit func(found envVariable, field reflect.StructField)) {
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")

		switch {
		case name == "-" || !field.IsExported():
		case name != "":
			visit(envVariable{
				name: prefix + name, byDefault: field.Tag.Get("envDefault"), description: field.Tag.Get("desc"),
				secret: field.Tag.Get("secret") != "",
			}, field)
		case field.Type.Kind() == reflect.Struct && !isText(field.Type):
			walkEnv(field.Type, prefix+field.Tag.Get("envPrefix"), visit)
		}
	}
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}

	return t
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// parseEnv fills a struct from the environment. Its errors are
// [errEnvironment]; they name the variables, and show no value.
func parseEnv(each envConfig, environ map[string]string) error {
	err := env.ParseWithOptions(each.config, env.Options{Environment: environ, Prefix: each.prefix})
	if err == nil {
		if reasons := outOfRange(reflect.Indirect(reflect.ValueOf(each.config)), each.prefix); len(reasons) > 0 {
			return fmt.Errorf("%w: %s", errEnvironment, strings.Join(reasons, "; "))
		}

		return nil
	}

	variables := map[string]envVariable{}

	walkEnv(indirect(reflect.TypeOf(each.config)), each.prefix, func(found envVariable, field reflect.StructField) {
		// The library names the struct's field, not the variable. Where two
		// structs have a field of one name, the one that is set is at fault.
		if _, set := environ[found.name]; set {
			variables[field.Name] = found
		}
	})

	reasons := []string{}

	for _, fault := range flatten(err) {
		if parse, ok := errors.AsType[env.ParseError](fault); ok {
			name := cmp.Or(variables[parse.Name].name, parse.Name)
			reasons = append(reasons, fmt.Sprintf("%s: cannot be read as %s", name, kindName(parse.Type)))

			continue
		}

		reasons = append(reasons, fault.Error())
	}

	return fmt.Errorf("%w: %s", errEnvironment, strings.Join(reasons, "; "))
}

func kindName(t reflect.Type) string {
	switch {
	case t == nil:
		return "its type"
	case t.String() == "time.Duration":
		return "a duration, such as 30s or 5m"
	case t.String() == "slog.Level":
		return "a level: debug, info, warn or error"
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return "a whole number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	default:
		return t.String()
	}
}

// temporalVariables are those that Temporal's own SDKs and tools read, too.
func temporalVariables() []envVariable {
	return []envVariable{
		{name: "TEMPORAL_ADDRESS", description: "host:port of a Temporal cluster; empty embeds one"},
		{name: "TEMPORAL_NAMESPACE", byDefault: "default", description: "Temporal namespace"},
		{name: "TEMPORAL_API_KEY", description: "key for Temporal's API", secret: true},
		{name: "TEMPORAL_CLIENT_AUTHORITY", description: "HTTP/2 authority of the connection to Temporal"},
		{name: "TEMPORAL_TLS", description: "true or false; set by an API key or a certificate"},
		{name: "TEMPORAL_TLS_CLIENT_CERT_PATH", description: "file of the client's certificate"},
		{name: "TEMPORAL_TLS_CLIENT_CERT_DATA", description: "the client's certificate itself", secret: true},
		{name: "TEMPORAL_TLS_CLIENT_KEY_PATH", description: "file of the client's private key"},
		{name: "TEMPORAL_TLS_CLIENT_KEY_DATA", description: "the client's private key itself", secret: true},
		{name: "TEMPORAL_TLS_SERVER_CA_CERT_PATH", description: "file of the authority that signed the server's certificate"},
		{name: "TEMPORAL_TLS_SERVER_CA_CERT_DATA", description: "that authority's certificate itself", secret: true},
		{name: "TEMPORAL_TLS_SERVER_NAME", description: "name in the server's certificate"},
		{name: "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", description: "true accepts any server's certificate"},
		{name: "TEMPORAL_CONFIG_FILE", description: "Temporal's own configuration file, in TOML"},
		{name: "TEMPORAL_PROFILE", byDefault: "default", description: "profile in that file"},
	}
}

// envSettings shows what the process reads from the environment.
func envSettings(variables []envVariable, environ map[string]string) []setting {
	out := make([]setting, 0, len(variables))

	for _, variable := range variables {
		row := setting{
			Name: variable.name, Value: variable.byDefault, Source: sourceDefault,
			Description: variable.description, Secret: variable.secret,
		}

		// An empty variable counts as not set where there is a default.
		if value, set := environ[variable.name]; set && (value != "" || variable.byDefault == "") {
			row.Value, row.Source = value, sourceEnvironment
		}

		if variable.secret && row.Value != "" {
			row.Value = masked
		}

		out = append(out, row)
	}

	return out
}

// strayIn tells of the stray variables of an environment, given the file's own.
func strayIn(environ map[string]string, file *configFile) []string {
	variables := envVariables([]envConfig{{config: &settings{}}})

	return strayVariables(append(variables, temporalVariables()...), environ, file.Variables)
}

// strayVariables tells of variables that look like Parley's but are not, one
// line each.
func strayVariables(variables []envVariable, environ map[string]string, used []string) []string {
	names := make([]string, 0, len(variables))
	for _, variable := range variables {
		names = append(names, variable.name)
	}

	out := []string{}

	for _, name := range slices.Sorted(maps.Keys(environ)) {
		if !strings.HasPrefix(name, "PARLEY_") || slices.Contains(names, name) || slices.Contains(used, name) {
			continue
		}

		line := name + " is set, but nothing reads it"
		if word := spelling.Nearest(name, names); word != "" {
			line += "; did you mean " + word + "?"
		}

		out = append(out, line)
	}

	return out
}
