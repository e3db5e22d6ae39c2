package policy

import (
	"errors"
	"fmt"
)

// The policies that exist without being configured.
const (
	DefaultName = "default"
	DemoName    = "demo"
)

// ErrUnknownPolicy says that a policy is named that nobody wrote.
var ErrUnknownPolicy = errors.New("there is no such policy")

// idleCloseRelayed is how long a relayed conversation may be silent: TWT never
// says that one is over. sessionGap is how long nothing may come under a
// visitor's name until it is another session: TWT names no conversations.
const (
	idleCloseRelayed = 24 * 3600 * Duration(1e9)
	sessionGap       = idleCloseRelayed
)

// Layer sets what one named policy of a configuration says and leaves the rest
// as it is. It must not keep the policy.
type Layer func(p *Policy) error

// DefaultFor returns the defaults of a dialect: those of [Default], except that
// TWT runs the unreplied clock itself, never reports an end, and names no
// conversations, and that Pypestream's end is final: who escalates after it begins
// anew.
func DefaultFor(dialect string) Policy {
	p := Default()

	switch dialect {
	case DialectTWT:
		p.Unreplied.Mode = ModeRelay
		p.Idle.Close = idleCloseRelayed
		p.Limits.SessionGap = sessionGap
	case DialectPypestream:
		p.Closeout.Escalation = FollowSession
	}

	return p
}

// Resolve returns the policy called name for sources of a dialect (empty: any).
// What its layer leaves out comes from the layer called default, and what that
// leaves out from [DefaultFor]. Lists replace each other; maps are merged by
// key. An unknown name is [ErrUnknownPolicy].
func Resolve(layers map[string]Layer, name, dialect string) (Policy, error) {
	p := DefaultFor(dialect)

	if err := apply(layers[DefaultName], &p); err != nil {
		return Policy{}, fmt.Errorf("policy %s: %w", DefaultName, err)
	}

	layer, exists := layers[name]

	switch {
	case name == DefaultName:
		return p.Clone(), nil
	case name == DemoName:
		p.quicken()
	case !exists:
		return Policy{}, fmt.Errorf("%w: %q", ErrUnknownPolicy, name)
	}

	if err := apply(layer, &p); err != nil {
		return Policy{}, fmt.Errorf("policy %s: %w", name, err)
	}

	return p.Clone(), nil
}

func apply(layer Layer, p *Policy) error {
	if layer == nil {
		return nil
	}

	return layer(p)
}
