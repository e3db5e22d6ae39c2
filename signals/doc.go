// Package signals is Parley's contract: the canonical events, their ids, the
// names and payloads that Temporal carries, and what the HTTP API shows about a
// conversation.
//
// Everything here is plain data that marshals to JSON, so that a service in any
// language can signal a conversation with nothing but a Temporal SDK. Go
// services may use the client in the package signaller below. The package
// imports nothing of Parley's own, and no Temporal SDK.
package signals
