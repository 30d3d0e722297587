"""Looks after the data folder: what is damaged, what may go, and how long the disk lasts."""
