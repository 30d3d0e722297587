"""Which reads of a scan group a device answers: an address it refuses must not cost the tags beside it. Pure.

           refused                refused, cannot be cut       after RETRY_S
    sound ---------> suspect ----------------------> quarantined ----------> suspect
      ^                 |  ^
      +---- answered ---+  +--- refused: cut in two

A block that is refused is cut at tag boundaries until what the device lacks stands alone. That search asks at most
PROBES_PER_SLOT requests in a slot, beside the sound reads, and goes on in the next one. What is found holds for the
connection: after a reconnect the device may have been changed, and all begins anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from config.model import ModbusDevice
from config.tags import ModbusTag
from drivers.modbus.plan import Read, halves, plan_reads

PROBES_PER_SLOT = 16
RETRY_S = 300


class Blocks:
    """The reads of one scan group on one connection."""

    def __init__(self, tags: Sequence[ModbusTag], device: ModbusDevice) -> None:
        """Raises ValueError where no legal read can take in a tag."""
        self._tags = tags
        self._device = device
        self._sound: dict[Read, None] = dict.fromkeys(plan_reads(tags, device))
        self._suspects: deque[Read] = deque()
        self._postponed: list[Read] = []
        self._retry_ns: dict[int, int] = {}

    def sound(self) -> tuple[Read, ...]:
        """What to ask in each slot, at once where the device allows that. Tell the verdicts before asking for suspects."""
        return tuple(self._sound)

    @property
    def at_rest(self) -> bool:
        """Nothing is being looked for, or left out."""
        return not (self._suspects or self._postponed or self._retry_ns)

    def suspects(self, now_ns: int) -> Iterator[Read]:
        """What to ask besides in this slot. Tell the verdict on each read before taking the next one."""
        self._suspects.extend(self._postponed)
        self._postponed.clear()
        self._release(now_ns)
        for _ in range(PROBES_PER_SLOT):
            if self._suspects:
                yield self._suspects.popleft()

    def answered(self, read: Read) -> None:
        """The device gave its values."""
        self._sound.setdefault(read)

    def failed(self, read: Read) -> None:
        """The device has no values now (it is busy, say), which tells nothing of the addresses."""
        if read not in self._sound:
            self._postponed.append(read)

    def refused(self, read: Read, now_ns: int) -> None:
        """The device lacks an address of it."""
        self._sound.pop(read, None)
        parts = halves(read, self._tags, self._device)
        self._suspects.extend(parts)
        if not parts:
            self._retry_ns.update(dict.fromkeys(read.columns, now_ns + RETRY_S * 1_000_000_000))

    def _release(self, now_ns: int) -> None:
        due = [column for column, retry_ns in self._retry_ns.items() if retry_ns <= now_ns]
        for column in due:
            del self._retry_ns[column]
        if due:
            self._suspects.extend(plan_reads(self._tags, self._device, due))
