package policy_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/workflows/policy"
)

func TestDurationText(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct{ in, out string }{
		{"0", "0s"},
		{"0s", "0s"},
		{"500ms", "500ms"},
		{"5m", "5m"},
		{"300s", "5m"},
		{"90s", "1m30s"},
		{"24h", "24h"},
		{"1h0m5s", "1h0m5s"},
		{"10m", "10m"},
		{"100h10m", "100h10m"},
		{"1.5h", "1h30m"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			t.Parallel()

			d, err := policy.ParseDuration(tc.in)
			require.NoError(t, err)
			require.Equal(t, tc.out, d.String())
		})
	}
}

func TestDurationRefuses(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct{ in, want string }{
		{"", "must be a number with a unit"},
		{"5", "must be a number with a unit"},
		{"5 minutes", "must be a number with a unit"},
		{"-1s", "is negative"},
		{"100000h", "more than ten years"},
		{"9999999h", "must be a number with a unit"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			t.Parallel()

			_, err := policy.ParseDuration(tc.in)
			require.ErrorIs(t, err, policy.ErrDuration)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestDurationJSON(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct {
		in   string
		want time.Duration
		bad  bool
	}{
		{in: `"5m"`, want: 5 * time.Minute},
		{in: `0`},
		{in: `null`},
		{in: `5`, bad: true},
		{in: `true`, bad: true},
		{in: `"-5m"`, bad: true},
	} {
		t.Run(tc.in, func(t *testing.T) {
			t.Parallel()

			var d policy.Duration

			err := json.Unmarshal([]byte(tc.in), &d)
			if tc.bad {
				require.ErrorIs(t, err, policy.ErrDuration)

				return
			}

			require.NoError(t, err)
			require.Equal(t, tc.want, d.Std())
		})
	}
}

func TestDurationRoundTrip(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		d := policy.Duration(rapid.Int64Range(0, int64(87600*time.Hour)).Draw(t, "d"))

		data, err := json.Marshal(d)
		require.NoError(t, err)

		var back policy.Duration

		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, d, back)
	})
}
