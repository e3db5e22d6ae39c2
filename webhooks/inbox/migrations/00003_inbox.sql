-- +goose Up

-- Everything that was accepted for conversations, in commit order; rows are
-- written once, and a dead letter that is sent again gets another seq. raw is
-- what the platform sent. Times are microseconds since 1970.
CREATE TABLE inbox_events (
    seq          INTEGER PRIMARY KEY,
    source       TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    event_id     TEXT    NOT NULL,
    received_at  INTEGER NOT NULL,
    event        BLOB    NOT NULL,
    raw          BLOB
);

-- Where a conversation's rows are: JSON lists of their seqs, each of those that
-- came within some seconds. An index would dirty a page for nearly every event.
-- Rows above indexed (in inbox_ends) may be in none yet, or in two.
CREATE TABLE inbox_places (
    source       TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    last         INTEGER NOT NULL,
    seqs         TEXT    NOT NULL,
    PRIMARY KEY (source, conversation, last)
) WITHOUT ROWID;

-- Rows that stand elsewhere than inbox_ends says: at or below settled without
-- a state is forwarded, above it without a state is pending.
CREATE TABLE inbox_states (
    seq          INTEGER PRIMARY KEY,
    source       TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'parked', 'late', 'orphan', 'dead')),
    session      INTEGER NOT NULL,
    reason       TEXT    NOT NULL,
    since        INTEGER NOT NULL
);

CREATE INDEX inbox_states_by_conversation ON inbox_states (source, conversation, state) WHERE state <> 'pending';

CREATE INDEX inbox_states_open ON inbox_states (state) WHERE state IN ('pending', 'parked', 'dead');

CREATE TABLE inbox_ends (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    settled INTEGER NOT NULL,
    indexed INTEGER NOT NULL
);

-- Which id the inbox had from which seq on; a new one for every start.
CREATE TABLE inbox_starts (
    first_seq INTEGER PRIMARY KEY,
    inbox     TEXT    NOT NULL
);

-- Written and emptied to see whether the disk takes anything.
CREATE TABLE inbox_probes (body BLOB);

INSERT INTO inbox_events (seq, source, conversation, event_id, received_at, event)
SELECT seq, source, conversation, event_id, received_at,
       -- A parked event carried the session before; it has none of its own.
       CASE state WHEN 'parked' THEN CAST(json_remove(CAST(event AS TEXT), '$.session') AS BLOB) ELSE event END
FROM kept_events;

INSERT INTO inbox_states (seq, source, conversation, state, session, reason, since)
SELECT seq, source, conversation, state, session, '', kept_at FROM kept_events;

INSERT INTO inbox_places (source, conversation, last, seqs)
SELECT source, conversation, max(seq), json_group_array(seq) FROM kept_events GROUP BY source, conversation;

INSERT INTO inbox_ends (id, settled, indexed)
SELECT 1, coalesce(max(seq), 0), coalesce(max(seq), 0) FROM kept_events;

-- Older than any that follows.
INSERT INTO inbox_starts (first_seq, inbox) VALUES (1, '00000000' || lower(hex(randomblob(2))));

DROP TABLE kept_events;

-- +goose Down
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

INSERT INTO kept_events
SELECT e.seq, e.source, e.conversation, s.session, s.state, e.event_id, e.received_at, s.since, e.event
FROM inbox_events e JOIN inbox_states s ON s.seq = e.seq
WHERE s.state IN ('parked', 'late', 'orphan');

DROP TABLE inbox_probes;

DROP TABLE inbox_starts;

DROP TABLE inbox_ends;

DROP TABLE inbox_places;

DROP TABLE inbox_states;

DROP TABLE inbox_events;
