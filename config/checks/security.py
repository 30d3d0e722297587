"""Checks of how endpoints are secured and who logs in. Pure; see `checks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from config.findings import Finding, Loc
from config.model import OpcUaEndpoint, Plant
from config.sinks import InfluxDB1Sink

_UNUSED = "without a security policy it would never be used: give policy, e.g. Basic256Sha256, or leave it out"


def _opcua(plant: Plant) -> Iterator[tuple[Loc, OpcUaEndpoint]]:
    for e, endpoint in enumerate(plant.endpoints):
        if isinstance(endpoint, OpcUaEndpoint):
            yield ("endpoints", e), endpoint


def passwords_have_users(plant: Plant) -> Iterator[Finding]:
    """A user name and a password come together."""
    for loc, endpoint in _opcua(plant):
        yield from _half_a_login(endpoint, loc)
    for s, sink in enumerate(plant.sinks):
        if isinstance(sink, InfluxDB1Sink):
            yield from _half_a_login(sink, ("sinks", s))


def _half_a_login(item: OpcUaEndpoint | InfluxDB1Sink, loc: Loc) -> Iterator[Finding]:
    if item.password is not None and item.user_name is None:
        yield (*loc, "password"), "a password without user_name would never be used: give both or neither"
    if item.user_name is not None and item.password is None:
        yield (*loc, "user_name"), "a user_name without password: give both or neither"


def users_are_told_once(plant: Plant) -> Iterator[Finding]:
    """A user has a name and a password, or a certificate and its key."""
    for loc, endpoint in _opcua(plant):
        certificate, key = endpoint.user_certificate, endpoint.user_key
        if certificate is not None and key is None:
            yield (*loc, "user_certificate"), "a user_certificate without user_key proves nothing: give both or neither"
        if key is not None and certificate is None:
            yield (*loc, "user_key"), "a user_key without user_certificate would never be used: give both or neither"
        if certificate is not None and endpoint.user_name is not None:
            yield (*loc, "user_certificate"), "there is a user_name, too, and one user logs in: take one of them out"


def security_is_used(plant: Plant) -> Iterator[Finding]:
    """Whoever names keys and a mode wants security: without a policy there would be none."""
    for loc, endpoint in _opcua(plant):
        for key in ("mode", "certificate", "key", "trust"):
            if endpoint.security.is_none and key in endpoint.security.model_fields_set:
                yield (*loc, "security", key), _UNUSED


def nobody_listens_to_logins(plant: Plant) -> Iterator[Finding]:
    """Without security a login can be read or used by others on the network."""
    for loc, endpoint in _opcua(plant):
        if endpoint.security.is_none and endpoint.password is not None:
            what = "without security others on the network may read it, and the server is not known to be the right one"
            yield (*loc, "password"), f"{what}: give security, e.g. {{policy: Basic256Sha256}}"
        if endpoint.security.is_none and endpoint.user_certificate is not None:
            what = "without security it proves the user to whoever answers, and values can be changed on the way"
            yield (*loc, "user_certificate"), f"{what}: give security, e.g. {{policy: Basic256Sha256}}"


Check = Callable[[Plant], Iterator[Finding]]
FAULTS: tuple[Check, ...] = (passwords_have_users, users_are_told_once, security_is_used)
WARNINGS: tuple[Check, ...] = (nobody_listens_to_logins,)
