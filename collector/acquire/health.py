"""Which devices answer. Told on the edge only: once when lost, once when back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from collector.show.live import DeviceState
from collector.terms import Event, EventKind

log = structlog.get_logger()


class Health:
    """The state of every device; `tell` receives an event at each edge."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self.devices: dict[str, DeviceState] = {}
        self._notices: dict[tuple[str, str], tuple[str, ...]] = {}

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

    def noticed(self, endpoint: str, source: str, notices: Sequence[str], at_ns: int) -> None:
        """All that `source` has to say of the certificates of `endpoint` now; what it did not say before is told."""
        before = self._notices.get((endpoint, source), ())
        self._notices[endpoint, source] = tuple(notices)
        for cause in notices:
            if cause not in before:
                log.warning("certificate", endpoint=endpoint, cause=cause)
                self._tell(Event(EventKind.CERTIFICATE, at_ns, body={"endpoint": endpoint, "cause": cause}))

    def certificates(self) -> dict[str, str]:
        """What is said of certificates now, by endpoint."""
        said: dict[str, list[str]] = {}
        for (endpoint, _), notices in self._notices.items():
            said.setdefault(endpoint, []).extend(notices)
        return {endpoint: "; ".join(notices) for endpoint, notices in said.items() if notices}

    def _event(self, device: str, slot_ns: int) -> None:
        state = self.devices[device]
        body = {
            "endpoint": state.endpoint,
            "device": device,
            "state": "answers" if state.answers else "lost",
            "cause": state.cause,
        }
        self._tell(Event(EventKind.DEVICE, slot_ns, body=dict(body)))
