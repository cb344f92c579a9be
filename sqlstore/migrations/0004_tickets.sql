-- +goose Up

CREATE TABLE tickets (                        -- links in mails
    account_id  TEXT   NOT NULL REFERENCES accounts (id),
    id          TEXT   NOT NULL,
    purpose     TEXT   NOT NULL,              -- reset | alarm
    secret_hash BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE requests (                       -- of strangers, whose account is looked for later
    id         TEXT   NOT NULL PRIMARY KEY,
    request    BYTEA  NOT NULL,               -- sealed: the login and from where
    key_id     TEXT   NOT NULL,
    tries      BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX tickets_by_expiry ON tickets (expires_at);
CREATE INDEX requests_due ON requests (next_at);
CREATE INDEX requests_by_expiry ON requests (expires_at);
