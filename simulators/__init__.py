"""Plants to practise on. Imports `config` only, never `drivers`: the two must not share a bug."""
