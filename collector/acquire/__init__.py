"""Devices to scans: clock, pace, endpoints, health."""
