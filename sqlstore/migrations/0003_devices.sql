-- +goose Up

CREATE TABLE devices (                        -- what an operator imported, of no account
    kind       TEXT   NOT NULL,
    name       TEXT   NOT NULL,               -- public, as the device tells it
    sealed     BYTEA  NOT NULL,               -- its secrets
    key_id     TEXT   NOT NULL,
    counter    BIGINT NOT NULL,               -- highest use counter seen, of all factors together
    created_at BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);
