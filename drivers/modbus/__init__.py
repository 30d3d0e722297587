"""Modbus, through pymodbus."""
