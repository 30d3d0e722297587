"""Journal to sinks."""
