-- +goose Up

ALTER TABLE tickets ADD COLUMN claim TEXT NOT NULL DEFAULT '';  -- digest of what the browser that signed up has; '': none

CREATE INDEX tickets_by_address ON tickets (address) WHERE address <> '';
