package sqlstore

import "database/sql"

// Handles are what tests look behind the Store with.
func (s *Store) Handles() (write, read *sql.DB) { return s.write, s.read }
