package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date. Migrations only go forward, and each
// works with the version of Twinlatch before it, so that replicas can be
// replaced one by one.
//
// goose has no lock for SQLite. There a starter that lost against another one
// fails halfway, is rolled back, and finds that the schema is newer than
// before; so it looks again.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, opts ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, db, files, append(opts, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	if dialect == goose.DialectPostgres {
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		return nil
	}
	for {
		before, err := provider.GetDBVersion(ctx)
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		_, err = provider.Up(ctx)
		if err == nil {
			return nil
		}
		after, lost := provider.GetDBVersion(ctx)
		if lost != nil || after <= before {
			return fmt.Errorf("migrate: %w", err)
		}
	}
}
