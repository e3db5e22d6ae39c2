// Package webhooks is Parley's HTTP edge: it takes the webhooks of the chat
// platforms, serves the REST API, its description and the health checks.
//
// A webhook goes through its source's dialect (verify, decode), is handed on
// whole or not at all, and is answered in the platform's own way once every
// event in it is durable. Whatever else the edge needs (the courier, the
// stores, Temporal) it takes through the small interfaces in ports.go.
package webhooks
