"""A plant file to begin with, for a first device: made of the texts in `config/starters`. Pure but for reading them."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from string import Template
from typing import Literal

Protocol = Literal["opcua", "modbus"]
URLS: dict[Protocol, str] = {"opcua": "opc.tcp://10.0.0.5:4840", "modbus": "modbus://10.0.0.5:502"}
COMMENT_COLUMN = 42
SITE, UNIT = "Pilot plant", "R-201"

_PLAIN = re.compile(r"[^\W\d_][\w./-]*(?: [\w./-]+)*")
_NOT_TEXT = {"true", "false", "null"}
_IN_ADDRESS = re.compile(r"[^A-Za-z0-9_-]")


def starter(protocol: Protocol, url: str | None = None, site: str = SITE, unit: str = UNIT, file: str = "plant.yaml") -> str:
    """The text of a plant file that loads as it stands, if `url`, `site` and `unit` are what the loader takes."""
    number = "".join(re.findall(r"\d+", unit)[-1:]) or "201"
    plain = re.sub(r"[^a-z0-9]", "", unit.lower()) or "first"
    words = {
        "site": _quoted(site),
        "unit": _quoted(unit),
        "unit_text": _IN_ADDRESS.sub("", unit).replace("-", "") or "R201",
        "number": number,
        "url": _quoted(url or URLS[protocol]),
        "endpoint_name": f"{plain}-{protocol}",
        "device_name": f"{plain}-controller",
        "file": file,
    }
    endpoint = _template(protocol).substitute(words)
    lines = _template("plant").substitute(words, endpoint=endpoint).splitlines()
    return "".join(f"{_aligned(line)}\n" for line in lines)


def _aligned(line: str) -> str:
    """Comments stand below each other, whatever was put in before them."""
    code, gap, comment = line.rpartition("  # ")
    return f"{code.rstrip():<{COMMENT_COLUMN - 2}}  # {comment}" if gap and code.strip() else line


def _template(name: str) -> Template:
    return Template(files("config").joinpath(f"starters/{name}.yaml").read_text(encoding="utf-8"))


def _quoted(text: str) -> str:
    """As YAML: in quotes where it could be read as anything but this text."""
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT
    is_url = re.fullmatch(r"[a-z.]+://[\w.:/-]+", text)
    return text if is_plain or is_url else json.dumps(text, ensure_ascii=False)
