"""Alarms of a running daemon, for who does something with them: a local socket, and what is said over it."""
