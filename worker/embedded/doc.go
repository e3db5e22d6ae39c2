// Package embedded runs the real Temporal server and the Temporal Web UI inside this process, on SQLite files in a data
// directory. It is the only package that imports go.temporal.io/server and the UI server.
//
// [Lock] claims a data directory for one process, [Start] brings the server up and returns once the namespace answers,
// [Server.Stop] takes it down. The embedded frontend has no authentication, so it stays on loopback unless it is opened
// on purpose; the UI always stays there. Temporal calls SQLite a store for development: one process, one machine, and
// no upgrade path between server versions, which is why the version that made the files is recorded beside them.
//
// The errors of this package are single lines that name the setting to change; they are meant to be shown as they are.
package embedded
