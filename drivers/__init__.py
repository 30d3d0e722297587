"""Layer 1: one package per protocol. Imports `config` only; there is no write path to a controller."""
