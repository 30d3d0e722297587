"""Writes what Grafana reads:  python -m config.grafana.build FOLDER [--influxdb 1|2]

    FOLDER/dashboards/reactor.json
    FOLDER/provisioning/dashboards/reactorwatch.yaml      expects $REACTORWATCH_DASHBOARDS: where FOLDER/dashboards is
    FOLDER/provisioning/datasources/influxdb.yaml         expects $INFLUXDB_URL, $INFLUXDB_DATABASE and, where needed, a login

Needs grafana-foundation-sdk, which is a development dependency: the product runs without it. Two runs give the same bytes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from config.grafana.dashboard import reactor

_PROVISIONING = Path(__file__).parent / "provisioning"


def write(folder: Path, influxdb: str = "1") -> None:
    """Make the files; `influxdb` is the server's major version, 2 stands for 3 as well."""
    dashboard = json.dumps(reactor(), cls=JSONEncoder, indent=2, ensure_ascii=False)
    _write(folder / "dashboards" / "reactor.json", dashboard + "\n")
    for source, target in (
        ("dashboards/reactorwatch.yaml", "dashboards/reactorwatch.yaml"),
        (f"datasources/influxdb{influxdb}.yaml", "datasources/influxdb.yaml"),
    ):
        _write(folder / "provisioning" / target, (_PROVISIONING / source).read_text(encoding="utf-8"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m config.grafana.build", description="Write Grafana's files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--influxdb", choices=("1", "2"), default="1", help="1, or 2 for InfluxDB 2 and 3 (default 1)")
    arguments = parser.parse_args()
    write(arguments.folder, arguments.influxdb)


if __name__ == "__main__":
    main()
