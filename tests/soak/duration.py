"""How long a soak runs, as it is typed."""

from __future__ import annotations

import argparse
import re


def duration_s(text: str) -> float:
    """Seconds of `90s`, `10min`, `1h`. Raises ArgumentTypeError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write e.g. 90s, 10min, 1h")
    return float(found[1]) * {"s": 1, "min": 60, "h": 3600}[found[2]]
