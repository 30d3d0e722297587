"""Addresses of the plant file -> NodeIds of a server."""

from __future__ import annotations

import uuid

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.address import Unresolved, node_id

NAMESPACES = ["http://opcfoundation.org/UA/", "urn:server", "urn:plant", "urn:odd;50%"]


@pytest.mark.parametrize(
    ("address", "index", "identifier", "kind"),
    [
        ("i=2258", 0, 2258, ua.NodeIdType.FourByte),
        ("ns=2;i=4294967295", 2, 4294967295, ua.NodeIdType.Numeric),
        ("ns=65535;i=1", 65535, 1, ua.NodeIdType.Numeric),
        ("ns=2;s=R201.TT;i=7=x", 2, "R201.TT;i=7=x", ua.NodeIdType.String),
        ("s= spaces kept ", 0, " spaces kept ", ua.NodeIdType.String),
        ("ns=2;s=123", 2, "123", ua.NodeIdType.String),
        ("nsu=urn:plant;s=TT-201A", 2, "TT-201A", ua.NodeIdType.String),
        ("nsu=urn:odd%3B50%25;i=1001", 3, 1001, ua.NodeIdType.FourByte),
        ("ns=2;b=MHhGRg==", 2, b"0xFF", ua.NodeIdType.ByteString),
        (
            "nsu=urn:server;g=09087e75-8e5e-499b-954f-f2a9603db28a",
            1,
            uuid.UUID("09087e75-8e5e-499b-954f-f2a9603db28a"),
            ua.NodeIdType.Guid,
        ),
    ],
)
def test_resolved(address: str, index: int, identifier: object, kind: ua.NodeIdType) -> None:
    node = node_id(address, NAMESPACES)
    assert (node.NamespaceIndex, node.Identifier, node.NodeIdType) == (index, identifier, kind)
    assert not isinstance(node, ua.ExpandedNodeId), "a Read takes no namespace URIs"
    assert node.to_binary()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("nsu=urn:elsewhere;s=TT", StatusCodes.BadNodeIdUnknown),
        ("i=4294967296", StatusCodes.BadNodeIdInvalid),
        ("ns=65536;i=1", StatusCodes.BadNodeIdInvalid),
        ("ns=2;b=no base64!", StatusCodes.BadNodeIdInvalid),
        ("g=09087e75-8e5e-499b-954f-f2a9603d----", StatusCodes.BadNodeIdInvalid),
        ("TT-201A", StatusCodes.BadNodeIdInvalid),
    ],
)
def test_unresolved(address: str, status: int) -> None:
    with pytest.raises(Unresolved) as error:
        node_id(address, NAMESPACES)
    assert error.value.status == status


def test_a_namespace_that_is_missing_is_named_beside_those_there_are() -> None:
    with pytest.raises(Unresolved, match=r"no namespace urn:elsewhere; it has: .*urn:server, urn:plant"):
        node_id("nsu=urn:elsewhere;s=TT", NAMESPACES)


@given(st.integers(0, 65535), st.integers(0, 2**32 - 1) | st.text(min_size=1))
def test_written_and_read_back(index: int, identifier: int | str) -> None:
    form = "i" if isinstance(identifier, int) else "s"
    node = node_id(f"ns={index};{form}={identifier}", [])
    assert (node.NamespaceIndex, node.Identifier) == (index, identifier)
