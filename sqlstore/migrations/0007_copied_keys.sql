-- +goose Up

ALTER TABLE factors ADD COLUMN copied_at BIGINT;  -- a proof came with a counter of before: it may have been copied; NULL: never
