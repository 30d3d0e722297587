"""Which devices answer. Told on the edge only: once when lost, once when back."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from collector.live import DeviceState
from collector.terms import Event, EventKind

log = structlog.get_logger()


class Health:
    """The state of every device; `tell` receives an event at each edge."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self.devices: dict[str, DeviceState] = {}

    def expect(self, endpoint: str, device: str) -> None:
        """A device that should answer but has not been tried."""
        self.devices[device] = DeviceState(endpoint)

    def answered(self, device: str, slot_ns: int) -> None:
        """`device` gave a scan."""
        before = self.devices[device]
        if before.answers:
            return
        self.devices[device] = DeviceState(before.endpoint, True, slot_ns)
        if before.answers is None:
            log.info("device answers", device=device, endpoint=before.endpoint)
        else:
            log.info("device back", device=device, endpoint=before.endpoint, lost_s=round((slot_ns - before.since_ns) / 1e9, 3))
        self._event(device, slot_ns)

    def lost(self, device: str, slot_ns: int, cause: str) -> None:
        """`device` gave nothing, and why."""
        before = self.devices[device]
        if before.answers is False:
            return
        self.devices[device] = DeviceState(before.endpoint, False, slot_ns, cause)
        log.warning("device lost", device=device, endpoint=before.endpoint, cause=cause)
        self._event(device, slot_ns)

    def _event(self, device: str, slot_ns: int) -> None:
        state = self.devices[device]
        body = {
            "endpoint": state.endpoint,
            "device": device,
            "state": "answers" if state.answers else "lost",
            "cause": state.cause,
        }
        self._tell(Event(EventKind.DEVICE, slot_ns, body=dict(body)))
