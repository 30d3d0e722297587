"""OPC UA, through asyncua."""

from drivers.opcua import wire_bounds as wire_bounds  # a bound on what asyncua believes, for whoever decodes here
