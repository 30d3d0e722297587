"""Finding out why a server could not listen, before a library hides it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from simulators.source import SimulationError


@contextmanager
def listening(endpoint: str, host: str, port: int) -> Iterator[None]:
    """Whatever goes wrong with listening inside is a SimulationError with endpoint, host and port."""
    try:
        yield
    except (OSError, RuntimeError) as exc:
        raise SimulationError(
            f"endpoint {endpoint}: cannot listen on {host} port {port}: {getattr(exc, 'strerror', None) or exc}; "
            "is something else running there, or is the host another machine's?"
        ) from exc


def numeric_address(endpoint: str, host: str, port: int) -> str:
    """The IP address behind `host`, on which `port` is free. Raises SimulationError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with listening(endpoint, host, port), socket.create_server((host, port), family=family) as probe:
        return str(probe.getsockname()[0])


def bracketed(host: str) -> str:
    """`::1` as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
