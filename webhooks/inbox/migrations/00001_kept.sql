-- +goose Up

-- Events that met no run: parked ones wait, late and orphan ones stay with a
-- closed session. Times are microseconds since 1970.
CREATE TABLE kept_events (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    session      INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('parked', 'late', 'orphan')),
    event_id     TEXT    NOT NULL,
    received_at  INTEGER NOT NULL,
    kept_at      INTEGER NOT NULL,
    event        BLOB    NOT NULL
);

CREATE INDEX kept_events_by_conversation ON kept_events (source, conversation, state, event_id);

CREATE INDEX kept_events_by_age ON kept_events (state, kept_at);

-- Events that belong to a source and to no conversation.
CREATE TABLE account_events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    logged_at   INTEGER NOT NULL,
    event       BLOB    NOT NULL
);

CREATE INDEX account_events_by_id ON account_events (source, event_id);

CREATE INDEX account_events_by_order ON account_events (source, seq);

CREATE INDEX account_events_by_age ON account_events (logged_at);

CREATE TABLE source_counts (
    source        TEXT    PRIMARY KEY,
    accepted      INTEGER NOT NULL,
    duplicates    INTEGER NOT NULL,
    refused       INTEGER NOT NULL,
    last_event_at INTEGER NOT NULL,
    last_error    TEXT    NOT NULL,
    last_error_at INTEGER NOT NULL
);

-- +goose Down
DROP TABLE source_counts;

DROP TABLE account_events;

DROP TABLE kept_events;
