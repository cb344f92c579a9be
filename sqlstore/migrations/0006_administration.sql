-- +goose Up

ALTER TABLE accounts ADD COLUMN confirmed_at BIGINT;                  -- mail to the login reaches its owner; NULL: not shown yet
ALTER TABLE accounts ADD COLUMN member_of TEXT NOT NULL DEFAULT '';   -- groups, 'admin staff'
ALTER TABLE accounts ADD COLUMN reset_at BIGINT;                      -- an administrator reset two-step verification; NULL: no, or it is on again
ALTER TABLE accounts ADD COLUMN deleted_at BIGINT;                    -- only its events are left
ALTER TABLE accounts ADD COLUMN search TEXT NOT NULL DEFAULT '';      -- login and name, folded

UPDATE accounts SET confirmed_at = created_at, search = login || ' ' || lower(display_name);

ALTER TABLE tickets ADD COLUMN address TEXT NOT NULL DEFAULT '';      -- the e-mail address that it is about

CREATE TABLE requirements (                   -- who has to have a factor
    realm     TEXT   NOT NULL,
    member    TEXT   NOT NULL,                -- of this group; '': everybody
    starts_at BIGINT NOT NULL,
    grace     BIGINT NOT NULL,                -- and not before an account is this old, in milliseconds
    PRIMARY KEY (realm, member)
);

CREATE TABLE administration (                 -- one row: administrators act one after the other
    id   BIGINT NOT NULL PRIMARY KEY,
    acts BIGINT NOT NULL
);
INSERT INTO administration (id, acts) VALUES (1, 0);

CREATE INDEX events_of_adoption ON events (type, at)
    WHERE type IN ('account.created', 'account.deleted', 'twostep.on', 'twostep.off', 'twostep.reset');
