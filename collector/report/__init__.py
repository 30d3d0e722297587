"""What leaves the gateway as a file."""
