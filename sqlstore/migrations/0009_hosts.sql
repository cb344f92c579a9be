-- +goose Up

CREATE TABLE session_hosts (                  -- tokens that a session has for the hosts of apps
    account_id  TEXT   NOT NULL,
    session_id  TEXT   NOT NULL,
    host        TEXT   NOT NULL,
    secret_hash BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (account_id, session_id, host),
    FOREIGN KEY (account_id, session_id) REFERENCES sessions (account_id, id) ON DELETE CASCADE
);

ALTER TABLE tickets ADD COLUMN session_id TEXT NOT NULL DEFAULT '';  -- what a hand-over carries; '': nothing
ALTER TABLE tickets ADD COLUMN host TEXT NOT NULL DEFAULT '';        -- where to; '': nowhere
