"""A plant file held against the plant: every tag read once, and what contradicts. Read-only, as the daemon reads."""
