"""Scans to transitions and excursions: numpy, pure, no I/O, no clock of its own."""
