// Package worker connects Parley to Temporal: the client, the search
// attributes, the worker with every workflow and activity on it, and the
// metrics of all of them. It works with any Temporal cluster; the server in
// the process itself is package embedded's.
package worker
