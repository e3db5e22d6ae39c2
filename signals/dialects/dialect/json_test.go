package dialect_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

type sample struct {
	Text  string    `json:"text"`
	Count int       `json:"count"`
	At    time.Time `json:"at"`
	Inner *sample   `json:"inner"`
	List  []sample  `json:"list"`
}

func TestUnmarshalNamesTheField(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ body, field, reason string }{
		"string":         {`{"text":1}`, "at.text", "must be a string, is a number"},
		"number":         {`{"count":"1"}`, "at.count", "must be a whole number, is a string"},
		"fraction":       {`{"count":1.5}`, "at.count", "must be a whole number, is number 1.5"},
		"array":          {`{"list":{}}`, "at.list", "must be an array, is an object"},
		"object":         {`{"inner":[]}`, "at.inner", "must be an object, is an array"},
		"inside":         {`{"inner":{"inner":{"text":true}}}`, "at.inner.inner.text", "must be a string, is a bool"},
		"time":           {`{"at":"noon"}`, "at.at", ""},
		"time inside":    {`{"text":"x","inner":{"at":"noon"}}`, "at.inner.at", ""},
		"odd names":      {`{"\u0001\"":1,"inner":{"at":"noon"}}`, "at.inner.at", ""},
		"the whole":      {`[]`, "at", "must be an object, is an array"},
		"nothing leaks":  {`{"count":` + strings.Repeat("9", 5000) + `}`, "at.count", ""},
		"long time said": {`{"at":"` + strings.Repeat("x", 5000) + `"}`, "at.at", ""},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var into sample

			var field *signals.FieldError

			require.ErrorAs(t, dialect.Unmarshal([]byte(test.body), "at", &into), &field)
			require.Equal(t, test.field, field.Field)
			require.LessOrEqual(t, len(field.Reason), 300)

			if test.reason != "" {
				require.Equal(t, test.reason, field.Reason)
			}
		})
	}

	var into sample

	require.NoError(t, dialect.Unmarshal([]byte(`{"text":"x"}`), "", &into))
	require.ErrorIs(t, dialect.Unmarshal([]byte(`{"text":"x"`), "", &into), dialect.ErrMalformed)
}

func TestSecrets(t *testing.T) {
	t.Parallel()

	require.True(t, dialect.SecretMatches("b", []string{"a", "b"}))
	require.True(t, dialect.SecretMatches("a", []string{"a", "a"}))
	require.False(t, dialect.SecretMatches("", []string{""}))
	require.False(t, dialect.SecretMatches("", nil))
	require.False(t, dialect.SecretMatches("ab", []string{"a", "b"}))

	for said, want := range map[string]string{
		"Bearer x": "x", "bearer  x ": "x", "Basic x": "", "Bearer": "", "": "", "x": "",
	} {
		require.Equal(t, want, dialect.Bearer(http.Header{"Authorization": {said}}), said)
	}
}
