"""The page the daemon serves."""
