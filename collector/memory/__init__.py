"""How a start goes on: where the run before left alarms, figures, scan groups and the daemon itself."""
