-- +goose Up

ALTER TABLE key_checks ADD COLUMN seen_at BIGINT;     -- a process that seals with it; NULL: never
ALTER TABLE key_checks ADD COLUMN retired_at BIGINT;  -- it may be missing since then

-- What lies under a key.
CREATE INDEX passwords_by_key ON passwords (key_id, account_id);
CREATE INDEX factors_by_key ON factors (key_id, account_id, id);
CREATE INDEX challenges_by_key ON challenges (key_id, account_id, id);
CREATE INDEX outbox_by_key ON outbox (key_id, account_id, id);
CREATE INDEX requests_by_key ON requests (key_id, id);
CREATE INDEX devices_by_key ON devices (key_id, kind, name);

ALTER TABLE accounts ADD COLUMN checkpoint_seq BIGINT NOT NULL DEFAULT 0; -- event_seq that the newest checkpoint with this chain holds

CREATE TABLE checkpoints (
    seq   BIGINT NOT NULL PRIMARY KEY,        -- 1, 2, 3 …
    at    BIGINT NOT NULL,
    heads TEXT   NOT NULL,                    -- JSON: [account, seq, hash] of each chain that had grown
    mac   BYTEA  NOT NULL                     -- over all of it and the mac before
);

CREATE INDEX accounts_grown ON accounts (id) WHERE event_seq <> checkpoint_seq;
CREATE INDEX events_in_order ON events (at, account_id, seq);
DROP INDEX events_by_time;
