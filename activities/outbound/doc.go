// Package outbound makes the requests that leave Parley: guarded against
// reaching what they must not, bounded in time and size, signed, and with errors
// that hold no secrets.
package outbound
