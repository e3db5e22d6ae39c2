package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/worker/embedded"
	"github.com/parleyhq/parley/workflows/policy"
)

// exampleSettings stands for the structs of the packages.
type exampleSettings struct {
	HTTP  exampleHTTP
	Store exampleStore `envPrefix:"STORE_"`
	// Held is filled by the program.
	Held  *os.File `env:"-"`
	Clock time.Time
}

type exampleHTTP struct {
	Addr  string     `env:"ADDR"    envDefault:"127.0.0.1:8080" desc:"where to listen"`
	Keys  []string   `env:"KEYS"    desc:"who may call"         secret:"true"`
	Level slog.Level `env:"LEVEL"   envDefault:"info"           desc:"least severe log line"`
}

type exampleStore struct {
	Port     int           `env:"PORT,required" envDefault:"5432" desc:"port"`
	Patience time.Duration `env:"PATIENCE"      envDefault:"3s"   desc:"how long to wait"`
	Addr     string        `env:"ADDR"          desc:"where it is"`
}

func example() []envConfig {
	return []envConfig{{prefix: "PARLEY_", config: &exampleSettings{}}, {config: processExample{}}}
}

type processExample struct {
	// Again is read by two packages.
	Again string `env:"PARLEY_ADDR" desc:"not shown twice"`
	// Namespace is Temporal's own variable.
	Namespace string `env:"TEMPORAL_NAMESPACE" envDefault:"default" desc:"namespace of conversations"`
}

func TestEnvVariablesAreThoseOfTheLibrary(t *testing.T) {
	t.Parallel()

	names := []string{}
	for _, variable := range envVariables(example()) {
		names = append(names, variable.name)
	}

	require.Equal(t, []string{
		"PARLEY_ADDR", "PARLEY_KEYS", "PARLEY_LEVEL", "PARLEY_STORE_PORT", "PARLEY_STORE_PATIENCE", "PARLEY_STORE_ADDR",
		"TEMPORAL_NAMESPACE",
	}, names)

	params, err := env.GetFieldParamsWithOptions(&exampleSettings{}, env.Options{Prefix: "PARLEY_"})
	require.NoError(t, err)

	for _, param := range params {
		if param.OwnKey != "" && !param.Ignored {
			require.Contains(t, names, param.Key)
		}
	}
}

func TestParseEnv(t *testing.T) {
	t.Parallel()

	into := exampleSettings{}

	require.NoError(t, parseEnv(envConfig{prefix: "PARLEY_", config: &into}, map[string]string{
		"PARLEY_KEYS": "a,b", "PARLEY_STORE_PORT": "1", "PARLEY_LEVEL": "debug", "PARLEY_ADDR": "",
	}))
	require.Equal(t, []string{"a", "b"}, into.HTTP.Keys)
	require.Equal(t, slog.LevelDebug, into.HTTP.Level)
	require.Equal(t, "127.0.0.1:8080", into.HTTP.Addr)
	require.Equal(t, exampleStore{Port: 1, Patience: 3 * time.Second}, into.Store)

	err := parseEnv(envConfig{prefix: "PARLEY_", config: &into}, map[string]string{
		"PARLEY_STORE_PORT": "s3cret", "PARLEY_STORE_PATIENCE": "s3cret", "PARLEY_LEVEL": "s3cret",
	})
	require.ErrorIs(t, err, errEnvironment)
	require.EqualError(t, err, "environment: PARLEY_LEVEL: cannot be read as a level: debug, info, warn or error; "+
		"PARLEY_STORE_PORT: cannot be read as a whole number; PARLEY_STORE_PATIENCE: cannot be read as a duration, such as 30s or 5m")
}

// bounds has a number and a duration that may not be anything.
type bounds struct {
	Cache    int           `env:"PARLEY_CACHE"    envDefault:"5"  min:"0"  max:"9"`
	Patience time.Duration `env:"PARLEY_PATIENCE" envDefault:"3s" min:"1s"`
	Floor    int           `env:"PARLEY_FLOOR"    envDefault:"1"  max:"3"`
	Any      int           `env:"PARLEY_ANY"`
	Name     string        `env:"PARLEY_NAME"`
}

func TestSettingsOutOfRangeAreRefused(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		environ map[string]string
		want    string
	}{
		"defaults":   {},
		"at the end": {environ: map[string]string{"PARLEY_CACHE": "9", "PARLEY_PATIENCE": "1s", "PARLEY_FLOOR": "-7", "PARLEY_ANY": "-1"}},
		"below":      {environ: map[string]string{"PARLEY_CACHE": "-5"}, want: "PARLEY_CACHE: must be from 0 to 9"},
		"above":      {environ: map[string]string{"PARLEY_CACHE": "10"}, want: "PARLEY_CACHE: must be from 0 to 9"},
		"two": {
			environ: map[string]string{"PARLEY_PATIENCE": "-1s", "PARLEY_FLOOR": "4"},
			want:    "PARLEY_PATIENCE: must be at least 1s; PARLEY_FLOOR: must be at most 3",
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := parseEnv(envConfig{config: &struct{ Inner bounds }{}}, test.environ)
			if test.want == "" {
				require.NoError(t, err)

				return
			}

			require.ErrorIs(t, err, errEnvironment)
			require.EqualError(t, err, "environment: "+test.want)
		})
	}
}

// TestEveryNumberIsBounded: a number that makes no sense must not be taken. The
// embedded server judges its own, when it is used.
func TestEveryNumberIsBounded(t *testing.T) {
	t.Parallel()

	walkEnv(reflect.TypeFor[settings](), "", func(found envVariable, field reflect.StructField) {
		if kind := field.Type.Kind(); kind != reflect.Int && kind != reflect.Int64 || isText(field.Type) {
			return
		}

		_, low := bound(field.Type, field.Tag, "min")
		if _, embeds := reflect.TypeFor[embedded.Config]().FieldByName(field.Name); embeds && !low {
			below := map[string]string{found.name: "-5"}
			if field.Type == reflect.TypeFor[time.Duration]() {
				below[found.name] = "-5s"
			}

			config, err := env.ParseAsWithOptions[embedded.Config](env.Options{Environment: below})
			require.NoError(t, err)
			require.ErrorContains(t, config.Validate(), found.name)

			return
		}

		require.True(t, low, "%s has no min", found.name)

		if _, set := field.Tag.Lookup("max"); set {
			_, high := bound(field.Type, field.Tag, "max")
			require.True(t, high, "the max of %s cannot be read", found.name)
		}
	})

	require.NoError(t, parseEnv(envConfig{config: &settings{}}, map[string]string{}), "the defaults are out of range")
}

func runConfig(t *testing.T, environ map[string]string, args ...string) (stdout, stderr string, err error) {
	t.Helper()

	var out, errs bytes.Buffer

	command := newConfigCommand(example(), environ)
	command.SetArgs(append([]string{}, args...))
	command.SetOut(&out)
	command.SetErr(&errs)
	command.SilenceErrors, command.SilenceUsage = true, true

	err = command.ExecuteContext(t.Context())

	return out.String(), errs.String(), err
}

func exampleEnvironment(file string) map[string]string {
	environ := secrets()
	environ["PARLEY_CONFIG"] = file
	environ["PARLEY_KEYS"] = "admin:read:0123456789"
	environ["PARLEY_STORE_PORT"] = "6000"
	environ["PARLEY_PATIENC"] = "5s"
	environ["TEMPORAL_API_KEY"] = "temporal-s3cret"

	return environ
}

func TestConfigShowsEverything(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct {
		golden string
		args   []string
	}{
		{"partial.txt", nil},
		{"partial-demo.json", []string{"--demo", "--output", "json"}},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			t.Parallel()

			stdout, stderr, err := runConfig(t, exampleEnvironment("testdata/config/partial.yaml"), tc.args...)
			require.NoError(t, err)
			require.NotContains(t, stdout+stderr, "s3cret")
			require.NotContains(t, stdout+stderr, "0123456789")
			require.NotContains(t, stdout+stderr, "token=xyz")
			require.Contains(t, stderr, "warning: PARLEY_PATIENC is set, but nothing reads it")

			golden := filepath.Join("testdata", "config", tc.golden)

			if os.Getenv("UPDATE_GOLDEN") != "" {
				require.NoError(t, os.WriteFile(golden, []byte(stdout), 0o600))
			}

			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), stdout)
		})
	}
}

func TestConfigWithoutAFile(t *testing.T) {
	t.Chdir(t.TempDir())

	stdout, stderr, err := runConfig(t, map[string]string{}, "-o", "json")
	require.NoError(t, err)
	require.Empty(t, stderr)

	var shown shownSettings

	require.NoError(t, json.Unmarshal([]byte(stdout), &shown))
	require.Empty(t, shown.File)

	for _, row := range append(shown.Environment, shown.Settings...) {
		require.Contains(t, []string{"default", "default of twt", "default of pypestream"}, row.Source, row.Name)
	}

	stdout, _, err = runConfig(t, map[string]string{})
	require.NoError(t, err)
	require.Contains(t, stdout, "Configuration file: none, the defaults hold")
}

func TestEverySettingIsDescribed(t *testing.T) {
	t.Parallel()

	file, err := loadConfigFile("testdata/config/partial.yaml", lookupIn(secrets()))
	require.NoError(t, err)

	book, err := file.Book(false)
	require.NoError(t, err)

	for _, row := range fileSettings(file, book, false) {
		require.NotEmpty(t, row.Description, row.Name)
	}

	for _, variable := range temporalVariables() {
		require.NotEmpty(t, variable.description, variable.name)
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()

	_, _, err := runConfig(t, exampleEnvironment("testdata/config/partial.yaml"), "--output", "xml")
	require.ErrorIs(t, err, errOutput)

	_, _, err = runConfig(t, exampleEnvironment("testdata/config/nowhere.yaml"))
	require.ErrorIs(t, err, errConfigFile)

	environ := exampleEnvironment("testdata/config/partial.yaml")
	environ["PARLEY_STORE_PORT"] = "many"
	_, _, err = runConfig(t, environ)
	require.ErrorIs(t, err, errEnvironment)
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()

	stdout, _, err := runConfig(t, secrets(), "check", "testdata/config/documented.yaml")
	require.NoError(t, err)
	require.Equal(t, "testdata/config/documented.yaml is valid: 1 source, 2 policies, 1 desk, 2 channels\n", stdout)

	stdout, _, err = runConfig(t, secrets(), "check", "testdata/config/partial.yaml")
	require.NoError(t, err)
	require.Equal(t, "testdata/config/partial.yaml is valid: 3 sources, 5 policies, 1 desk, 3 channels\n", stdout)

	_, _, err = runConfig(t, map[string]string{}, "check", "testdata/config/partial.yaml")
	require.ErrorIs(t, err, errConfigFile)
	require.ErrorContains(t, err, "testdata/config/partial.yaml:28: variable SHOP_SECRET is not set in the environment")

	_, _, err = runConfig(t, secrets(), "check", "a", "b")
	require.Error(t, err)
}

func TestKeyIsChecked(t *testing.T) {
	t.Parallel()

	require.NoError(t, checkKey("dashboard", []string{"read"}))
	require.ErrorIs(t, checkKey("a,b", []string{"read"}), errKeyName)
	require.ErrorIs(t, checkKey("dashboard", []string{"read", "admin"}), errKeyScope)
	require.ErrorIs(t, checkKey("dashboard", nil), errKeyScope)
}

func TestDoctorTriesThePort(t *testing.T) {
	t.Parallel()

	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)

	all := &settings{}
	all.HTTP.HTTPAddr = taken.Addr().String()

	found := checkEdge(t.Context(), all, false)
	require.ErrorIs(t, found.err, errTaken)
	require.Contains(t, found.line(), "FAIL")

	found = checkEdge(t.Context(), all, true)
	require.NoError(t, found.err, "the Parley that runs is not in its own way")

	require.NoError(t, taken.Close())

	all.HTTP.HTTPAddr = "127.0.0.1:0"
	found = checkEdge(t.Context(), all, false)
	require.NoError(t, found.err)
	require.Equal(t, "ok    HTTP               "+all.HTTP.HTTPAddr+" is free\n", found.line())
}

func TestExpand(t *testing.T) {
	t.Parallel()

	e := &expander{lookup: lookupIn(map[string]string{"A": "1", "B_2": "${A}", "EMPTY": ""})}

	for text, want := range map[string]string{
		"": "", "plain": "plain", "${A}": "1", "x${A}y${B_2}z": "x1y${A}z", "$${A}": "${A}", "$$${A}": "$${A}", "$A": "$A", "$": "$",
		"a$${b": "a${b", "${EMPTY}": "", "100$": "100$", "{A}": "{A}",
	} {
		got, _, err := e.expand(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}

	for _, text := range []string{"${", "${}", "${1}", "${A", "${A B}", "${NOWHERE}"} {
		_, _, err := e.expand(text)
		require.ErrorIs(t, err, errVariable, text)
	}
}

func TestPropertyLoadNeverPanics(t *testing.T) {
	t.Parallel()

	example, err := os.ReadFile("testdata/config/partial.yaml")
	require.NoError(t, err)

	rapid.Check(t, func(t *rapid.T) {
		text := string(example)

		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			length := rapid.IntRange(0, min(12, len(text)-at-1)).Draw(t, "length")
			insert := rapid.SampledFrom([]string{
				"", " ", "\n", ": ", "[", "]", "{", "}", "- ", "&a ",
				"*a", "${", "'", "\"", "|\n", "<<: ", "? ", "!!x ", "#", "\t", "0", "-",
			})
			text = text[:at] + insert.Draw(t, "insert") + text[at+length:]
		}

		file, err := parseConfig([]byte(text), lookupIn(secrets()))
		if err != nil {
			require.NotContains(t, err.Error(), "s3cret")

			return
		}

		book, err := file.Book(false)
		require.NoError(t, err)
		require.NotEmpty(t, book.Policies())
	})
}

func TestShowTextOfAddresses(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"https://hooks.example.com/services/T0/B0/x": "https://hooks.example.com/****",
		"https://x.example?key=1":                    "https://x.example/****",
		"https://x.example/":                         "https://x.example",
		"":                                           `""`,
		"nonsense":                                   "****",
	} {
		require.Equal(t, want, showText(text, "path"), text)
	}

	require.Equal(t, `"a\x1b[31m"`, showText("a\x1b[31m", ""))
	require.Equal(t, `say "hi"`, showText(`say "hi"`, ""))
}

func TestUnknownDialectsOfPolicyAreListed(t *testing.T) {
	t.Parallel()

	_, err := load(t, "sources: {shop: {dialect: icq}}\n")
	require.ErrorContains(t, err, strings.Join(policy.Dialects(), ", "))
}
