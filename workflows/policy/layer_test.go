package policy_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

func TestResolve(t *testing.T) {
	t.Parallel()

	layers := map[string]policy.Layer{
		"default": func(p *policy.Policy) error {
			p.Unreplied.Max = 7
			p.Closeout.Grace = 0
			p.Notify[signals.TicketFailed] = []string{"ops"}

			return nil
		},
		"vip": func(p *policy.Policy) error {
			p.Unreplied.First = 60e9

			return nil
		},
	}

	vip, err := policy.Resolve(layers, "vip", "")
	require.NoError(t, err)

	want := policy.Default()
	want.Unreplied.Max = 7
	want.Unreplied.First = 60e9
	want.Closeout.Grace = 0
	want.Notify[signals.TicketFailed] = []string{"ops"}
	require.Equal(t, want, vip)

	demo, err := policy.Resolve(layers, "demo", "")
	require.NoError(t, err)
	require.Equal(t, 7, demo.Unreplied.Max, "what demo leaves out comes from the file's default")
	require.Equal(t, policy.Duration(5e9), demo.Unreplied.First)
	require.Equal(t, policy.Duration(5e9), demo.Closeout.Grace)

	_, err = policy.Resolve(layers, "nobody", "")
	require.ErrorIs(t, err, policy.ErrUnknownPolicy)
}

func TestResolveWithoutLayers(t *testing.T) {
	t.Parallel()

	p, err := policy.Resolve(nil, "default", "")
	require.NoError(t, err)
	require.Equal(t, policy.Default(), p)

	p, err = policy.Resolve(nil, "demo", "")
	require.NoError(t, err)
	require.Equal(t, policy.Demo(), p)
}

func TestResolvePassesErrorsOn(t *testing.T) {
	t.Parallel()

	errLayer := errors.New("bad layer")
	bad := func(*policy.Policy) error { return errLayer }

	_, err := policy.Resolve(map[string]policy.Layer{"default": bad}, "demo", "")
	require.ErrorIs(t, err, errLayer)

	_, err = policy.Resolve(map[string]policy.Layer{"vip": bad}, "vip", "")
	require.ErrorIs(t, err, errLayer)
}

func TestDialectDefaultsYieldToTheConfiguration(t *testing.T) {
	t.Parallel()

	own := func(p *policy.Policy) error {
		p.Unreplied.Mode = policy.ModeOwn

		return nil
	}
	endless := func(p *policy.Policy) error {
		p.Limits.SessionGap = 0

		return nil
	}
	never := func(p *policy.Policy) error {
		p.Idle.Close = 0

		return nil
	}

	for _, tc := range []struct {
		name    string
		dialect string
		layers  map[string]policy.Layer
		mode    policy.Mode
		idle    string
		gap     string
	}{
		{"twt", "twt", nil, policy.ModeRelay, "24h", "24h"},
		{"livechat", "livechat", nil, policy.ModeOwn, "0s", "0s"},
		{"mode set in the policy", "twt", map[string]policy.Layer{"vip": own}, policy.ModeOwn, "24h", "24h"},
		{"mode set in default", "twt", map[string]policy.Layer{"default": own}, policy.ModeOwn, "24h", "24h"},
		{"idle set to off", "twt", map[string]policy.Layer{"vip": never}, policy.ModeRelay, "0s", "24h"},
		{"gap set to off", "twt", map[string]policy.Layer{"vip": endless}, policy.ModeRelay, "24h", "0s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			if tc.layers["vip"] == nil {
				merged := map[string]policy.Layer{"vip": nil}
				maps.Copy(merged, tc.layers)

				tc.layers = merged
			}

			p, err := policy.Resolve(tc.layers, "vip", tc.dialect)
			require.NoError(t, err)
			require.Equal(t, tc.mode, p.Unreplied.Mode)
			require.Equal(t, tc.idle, p.Idle.Close.String())
			require.Equal(t, tc.gap, p.Limits.SessionGap.String())
		})
	}
}
