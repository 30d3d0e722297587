"""Whether the record is whole, and whether a sink holds what the journal says that it accepted."""
