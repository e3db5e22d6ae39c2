-- +goose Up
-- Times are unix nanoseconds; what is only shown, never searched, is JSON.
CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY,
    workflow_id  TEXT    NOT NULL,
    session      INTEGER NOT NULL,
    source       TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    agent        TEXT    NOT NULL,
    desk         TEXT    NOT NULL,
    unreplied    INTEGER NOT NULL,
    opened_at    INTEGER NOT NULL,
    closed_at    INTEGER NOT NULL,
    head         TEXT    NOT NULL, -- the view without participants and timeline
    body         TEXT    NOT NULL, -- participants and timeline
    UNIQUE (workflow_id, session)
);
CREATE INDEX sessions_by_time ON sessions (closed_at, id);
CREATE INDEX sessions_by_source ON sessions (source, closed_at, id);
CREATE INDEX sessions_by_agent ON sessions (agent, closed_at, id);

CREATE TABLE tickets (
    id           TEXT    PRIMARY KEY,
    external_id  TEXT    NOT NULL,
    url          TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    session      INTEGER NOT NULL,
    workflow_id  TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    unreplied    INTEGER NOT NULL,
    messages     TEXT    NOT NULL,
    opened_at    INTEGER NOT NULL,
    closed_at    INTEGER NOT NULL,
    transcript   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    UNIQUE (workflow_id, session)
) WITHOUT ROWID;
CREATE INDEX tickets_by_time ON tickets (closed_at, id);
CREATE INDEX tickets_by_source ON tickets (source, closed_at, id);

-- +goose Down
DROP TABLE tickets;
DROP TABLE sessions;
