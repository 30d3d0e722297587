"""What a network, or a dying server, does to clients: a relay before each simulated server."""
