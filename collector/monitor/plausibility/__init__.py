"""Which good samples are doubted, and why. Pure: scans in; the same scans with their doubt, and what changed, out."""
