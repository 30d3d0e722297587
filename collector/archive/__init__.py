"""Closed days copied to a folder elsewhere, and proved there."""
