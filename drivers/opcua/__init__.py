"""OPC UA, through asyncua."""
