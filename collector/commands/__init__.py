"""The command line, a module per command. Exit codes: 0 fine, 1 failed, 2 wrong input."""
