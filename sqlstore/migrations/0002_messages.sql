-- +goose Up

ALTER TABLE challenges ADD COLUMN resend_at BIGINT;  -- NULL: it has no message

CREATE TABLE outbox (
    account_id   TEXT   NOT NULL REFERENCES accounts (id),
    id           TEXT   NOT NULL,
    challenge_id TEXT   NOT NULL,
    channel      TEXT   NOT NULL,
    route        TEXT   NOT NULL,             -- country and purpose, 'GB verify'
    message      BYTEA  NOT NULL,             -- sealed: recipient and text
    key_id       TEXT   NOT NULL,
    tries        BIGINT NOT NULL,             -- leases so far; names the newest
    delivery     TEXT   NOT NULL,             -- queued | sent | delivered | failed
    sender       TEXT   NOT NULL,
    ref          TEXT   NOT NULL,             -- the vendor's name for it
    answered     BIGINT NOT NULL,             -- 0 or 1: its code was typed back
    next_at      BIGINT,                      -- due then; NULL: nothing more to do
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE routes (                         -- how many of the codes that were sent are typed back
    route        TEXT   NOT NULL PRIMARY KEY,
    messages     BIGINT NOT NULL,             -- since it was judged
    answered     BIGINT NOT NULL,
    paused_until BIGINT
);

CREATE INDEX outbox_due ON outbox (next_at);
CREATE INDEX outbox_by_expiry ON outbox (expires_at);
CREATE INDEX outbox_by_challenge ON outbox (account_id, challenge_id);
CREATE INDEX outbox_by_id ON outbox (id);
CREATE INDEX outbox_by_ref ON outbox (sender, ref);
