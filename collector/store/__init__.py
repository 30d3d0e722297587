"""The journal: the append-only original, in SQLite."""
