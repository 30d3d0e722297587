"""Modbus over TCP, TLS and in RTU frames, in our own framing."""
