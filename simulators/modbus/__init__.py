"""Modbus devices of a plant file, TCP or RTU: framed here, for drivers have their own."""
