"""An OPC UA server that is named on the command line instead of in a plant file."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from collector.commands.terms import wrong_input
from config.model import OpcUaEndpoint

_TAGS = {"server": {"unit": "none", "tags": {"none": {"address": "i=2259"}}}}
"""An endpoint has tags; nobody reads these."""


def endpoint_of(url: str, **settings: Any) -> OpcUaEndpoint:
    """The endpoint of `url`; ends the command when it is none."""
    given = {key: value for key, value in settings.items() if value is not None}
    try:
        return OpcUaEndpoint.model_validate({"name": "server", "url": url, "devices": _TAGS} | given)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        wrong_input(f"{'.'.join(map(str, error['loc']))}: {error['msg'].removeprefix('Value error, ')}")
