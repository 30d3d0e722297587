"""ISA-88: which batch and phase a unit is in."""
