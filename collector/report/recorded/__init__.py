"""A CSV file of recorded batches, however a plant has written it: its columns, times, names and numbers."""
