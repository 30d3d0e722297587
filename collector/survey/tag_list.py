"""Rows of a tag list from what a server tells of its variables. Pure.

A tag is called as its variable is; where that is not unique, with the names above it, as few as make it so. What can't be a tag
(an array, a structure, what may not be read) is left out, and counted by its reason.
"""

from __future__ import annotations

import base64
import csv
import io
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from asyncua import ua

from config.common import identifier
from config.tags import Kind
from drivers.opcua.browse_facts import Told
from drivers.opcua.decode import TYPES_TAKEN

COLUMNS = ("tag", "address", "kind", "role", "engineering_unit", "low", "high", "states", "group")
_KINDS = (Kind.BOOLEAN, Kind.INTEGER, Kind.TEXT, Kind.REAL)
_REAL = ("Float", "Double")
Row = dict[str, str]


def rows(told: Sequence[Told], namespaces: Sequence[str]) -> tuple[list[Row], Counter[str]]:
    """A row per tag, and how many variables were left out, by their reason."""
    kept: list[tuple[Told, Kind]] = []
    left_out: Counter[str] = Counter()
    for each in told:
        kind = _kind(each)
        if isinstance(kind, Kind):
            kept.append((each, kind))
        else:
            left_out[kind] += 1
    names = _names([each.variable.path for each, _ in kept])
    roles = _unique([identifier(name) or f"tag_{index}" for index, name in enumerate(names)])
    return [
        {"tag": name, "address": address(each.variable.node, namespaces), "kind": kind.value, "role": role, **_facts(each, kind)}
        for (each, kind), name, role in zip(kept, names, roles, strict=True)
    ], left_out


def written(found: Sequence[Row]) -> str:
    """The CSV of a tag list."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()


def _kind(told: Told) -> Kind | str:
    """The kind of its values, or why it is left out."""
    if told.is_array:
        return "an array"
    if not told.is_readable:
        return "not readable"
    if told.data_type in _REAL:
        return Kind.REAL
    fits = (kind for kind in _KINDS if told.data_type in TYPES_TAKEN[kind])
    return next(fits, f"a {told.data_type}" if told.data_type else "a structure, or a type that is not told")


def _facts(told: Told, kind: Kind) -> Row:
    row: Row = {}
    if kind in (Kind.REAL, Kind.INTEGER):
        row["engineering_unit"] = visible(told.unit.display_name) if told.unit else ""
        if told.range:
            row["low"], row["high"] = (repr(float(bound)).removesuffix(".0") for bound in told.range)
    if kind is Kind.INTEGER:
        row["states"] = "|".join(f"{number}={_state(name)}" for number, name in told.states)
    return row


def _state(name: str) -> str:
    return visible(name.replace("|", "/").replace("=", ":"))


def visible(text: str) -> str:
    """On one line, of visible characters, as names in a plant file are."""
    return "".join(character if character.isprintable() else " " for character in text).strip(" \\")


def _names(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Each path's last name, with as many of those before it as make it unique."""
    clean = [tuple(visible(step) or "_" for step in path) or ("start",) for path in paths]
    names = [path[-1] for path in clean]
    for depth in range(2, max(map(len, clean), default=0) + 1):
        count = Counter(names)
        names = [name if count[name] == 1 else ".".join(path[-depth:]) for name, path in zip(names, clean, strict=True)]
    return _unique(names)


def _unique(names: Sequence[str]) -> list[str]:
    taken: set[str] = set()
    unique = []
    for name in names:
        number, free = 2, name
        while free in taken:
            free, number = f"{name}_{number}", number + 1
        taken.add(free)
        unique.append(free)
    return unique


def address(node: ua.NodeId, namespaces: Sequence[str]) -> str:
    """As the plant file writes it: by namespace URI, which survives a restart of the server, where that is told."""
    identity = _identity(node.Identifier)
    if node.NamespaceIndex == 0:
        return identity
    if node.NamespaceIndex < len(namespaces):
        uri = namespaces[node.NamespaceIndex].replace("%", "%25").replace(";", "%3B")
        return f"nsu={uri};{identity}"
    return f"ns={node.NamespaceIndex};{identity}"


def _identity(identifier: object) -> str:
    if isinstance(identifier, bytes):
        return f"b={base64.b64encode(identifier).decode()}"
    if isinstance(identifier, UUID):
        return f"g={identifier}"
    return f"{'s' if isinstance(identifier, str) else 'i'}={identifier}"
