"""Layer 0: the plant as data. No I/O but reading files."""
