// Package dialects holds what can be shown only with a dialect and the
// conversation together: webhooks of every platform, decoded and taken in by
// the machine, in order and out of order, once and again. Every dialect of the
// table runs it by being there.
package dialects
