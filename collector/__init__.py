"""Layer 2: the daemon. Acquires scans, judges, journals, uploads and shows them."""
