-- +goose Up

-- One text for SQLite and PostgreSQL: TEXT, BIGINT and BYTEA only. Times are
-- Unix milliseconds, an absent time is NULL. An absent text is ''. Addresses
-- are text. All but the last two tables belong to one account each and begin
-- with its id, so that accounts can be spread over machines.

CREATE TABLE accounts (
    id           TEXT   NOT NULL PRIMARY KEY,
    realm        TEXT   NOT NULL,
    login        TEXT   NOT NULL,             -- as compared: lower case, NFC
    display_name TEXT   NOT NULL,
    locale       TEXT   NOT NULL,
    preferred    TEXT   NOT NULL,             -- factor asked first, '': the oldest
    version      BIGINT NOT NULL,             -- grows with every change
    event_seq    BIGINT NOT NULL,             -- head of the chain of events
    event_hash   BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    disabled_at  BIGINT,                      -- two-step on or off is no column: on = a factor exists
    UNIQUE (realm, login)
);

CREATE TABLE passwords (
    account_id TEXT   NOT NULL PRIMARY KEY REFERENCES accounts (id),
    hash       BYTEA  NOT NULL,               -- sealed
    key_id     TEXT   NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE factors (
    account_id   TEXT   NOT NULL REFERENCES accounts (id),
    id           TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    hint         TEXT   NOT NULL,             -- all that may be shown before the second step
    digest       BYTEA  NOT NULL,             -- MAC of what makes it one of a kind
    secret       BYTEA  NOT NULL,             -- sealed
    key_id       TEXT   NOT NULL,
    counter      BIGINT NOT NULL,             -- highest use counter seen
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, kind, digest)
);

CREATE TABLE sessions (
    account_id  TEXT   NOT NULL REFERENCES accounts (id),
    id          TEXT   NOT NULL,
    secret_hash BYTEA  NOT NULL,
    user_agent  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,              -- the first step
    password_at BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    seen_ip     TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL,
    v4_ip       TEXT   NOT NULL,              -- the second step, per address family
    v4_at       BIGINT,
    v6_ip       TEXT   NOT NULL,
    v6_at       BIGINT,
    amr         TEXT   NOT NULL,              -- 'otp hwk'
    recovered   BIGINT NOT NULL,              -- 0 or 1
    PRIMARY KEY (account_id, id)
);

CREATE TABLE challenges (
    account_id  TEXT   NOT NULL REFERENCES accounts (id),
    id          TEXT   NOT NULL,
    purpose     TEXT   NOT NULL,              -- enroll | verify
    session_id  TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    factor_id   TEXT   NOT NULL,              -- '': any of the kind
    question    BYTEA  NOT NULL,              -- sealed
    key_id      TEXT   NOT NULL,
    tries_left  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    consumed_at BIGINT,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE backup_codes (
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    digest     BYTEA  NOT NULL,
    salt       BYTEA  NOT NULL,               -- the same in the whole set
    created_at BIGINT NOT NULL,
    used_at    BIGINT,
    PRIMARY KEY (account_id, digest)
);

CREATE TABLE networks (                       -- where the second step was done
    account_id  TEXT   NOT NULL REFERENCES accounts (id),
    prefix      TEXT   NOT NULL,
    verified_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, prefix)
);

CREATE TABLE tries (                          -- wrong codes; a success deletes its rows
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    name       TEXT   NOT NULL,               -- totp/known, totp/unknown, totp/all, backup/…
    run        BIGINT NOT NULL,               -- since the last success
    next_at    BIGINT,                        -- none before then; NULL: at once
    day        BIGINT NOT NULL,               -- since day_at
    day_at     BIGINT NOT NULL,
    PRIMARY KEY (account_id, name)
);

CREATE TABLE events (
    account_id    TEXT   NOT NULL REFERENCES accounts (id),
    seq           BIGINT NOT NULL,            -- 1, 2, 3 …
    at            BIGINT NOT NULL,
    type          TEXT   NOT NULL,
    actor         TEXT   NOT NULL,
    detail        TEXT,                       -- JSON with its salt; NULL once erased
    detail_digest BYTEA  NOT NULL,
    hash          BYTEA  NOT NULL,
    PRIMARY KEY (account_id, seq)
);

CREATE TABLE limits (                         -- what accounts share
    scope     TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    taken     BIGINT NOT NULL,
    resets_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);

CREATE TABLE key_checks (                     -- the row '' is a lock
    id    TEXT  NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX challenges_by_expiry ON challenges (expires_at);
CREATE INDEX challenges_by_session ON challenges (account_id, session_id);
CREATE INDEX networks_by_time ON networks (verified_at);
CREATE INDEX events_by_time ON events (at);
CREATE INDEX limits_by_reset ON limits (resets_at);
