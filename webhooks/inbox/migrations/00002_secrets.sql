-- +goose Up

-- A secret with which a platform introduced itself, one per source. The file is
-- readable by its owner only.
CREATE TABLE pinned_secrets (
    source    TEXT    PRIMARY KEY,
    secret    TEXT    NOT NULL,
    pinned_at INTEGER NOT NULL
);
