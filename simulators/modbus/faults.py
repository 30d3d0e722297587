"""How a Modbus device, or its gateway, misbehaves: the answer it would give in, the one it gives out. Pure.

    asked: unit 7, transaction 42, holding 0-3        right:   002A 0000 000B 07  03 08  0001 0002 0003 0004

    exception          the code, whatever was asked            002A 0000 0003 07  83 04
    silent             nothing
    wrong_transaction  the number before, as a late answer has 0029 0000 000B 07  03 08  0001 0002 0003 0004
    foreign_unit       the next unit id's                      002A 0000 000B 08  03 08  0001 0002 0003 0004
    short              the last register is missing            002A 0000 0009 07  03 06  0001 0002 0003
    oversized          one register too many                   002A 0000 000D 07  03 0A  0001 0002 0003 0004 0000

Of bits, a byte is missing or too many. Length and byte count agree with what is sent: only who knows what was asked can
tell. Of `short` and `oversized` together the latter happens, for both would look right. Exceptions stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from simulators.modbus.frames import Frame
from simulators.upset import KINDS, Upset

KINDS_OF_DEVICE = ("exception", "silent", "wrong_transaction", "foreign_unit", "short", "oversized")
"""What `Misbehaviour` knows."""


class Misbehaviour:
    """What one unit id does to its answers now, from its active upsets; of several exceptions the latest counts."""

    def __init__(self, upsets: Iterable[Upset]) -> None:
        begun = {upset.kind: upset for upset in upsets}
        self._exception = int(KINDS["exception"].number_of(begun["exception"])) if "exception" in begun else None
        self._kinds = frozenset(begun)

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def answer(self, request: Frame, right: Frame | None) -> Frame | None:
        """What is sent where `right` would be."""
        if right is None or "silent" in self._kinds:
            return None
        transaction, unit_id, pdu = right
        if self._exception is not None:
            pdu = bytes((request.pdu[0] | 0x80, self._exception))
        elif pdu[0] < 0x80:
            pdu = self._resized(pdu)
        if "wrong_transaction" in self._kinds:
            transaction = (transaction - 1) & 0xFFFF
        if "foreign_unit" in self._kinds:
            unit_id = (unit_id + 1) & 0xFF
        return Frame(transaction, unit_id, pdu)

    def _resized(self, pdu: bytes) -> bytes:
        content, size = pdu[2:], 1 if pdu[0] in (1, 2) else 2
        if "oversized" in self._kinds:
            content += bytes(size)
        elif "short" in self._kinds:
            content = content[:-size]
        return bytes((pdu[0], len(content))) + content
