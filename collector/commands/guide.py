"""What `--help` says beside what a command takes: where it stands in the list, what to type, and what its exit code means."""

from __future__ import annotations

_LISTED = {
    "See it work": ("demo", "simulate", "upset"),
    "Collect": ("run", "status", "alarms"),
    "Plant file and connections": ("init", "check", "probe", "diff", "schema", "browse", "certs"),
    "The record": ("export", "judge", "verify", "backup", "restore", "archive", "quarantine"),
    "Sinks": ("dead-letters", "sinks"),
}
PANELS = {name: panel for panel, names in _LISTED.items() for name in names}
"""By command: the heading that it is listed under."""
FIRST = (
    "Begin with: reactorwatch demo, or reactorwatch init plant.yaml",
    "Exit codes: 0 fine, 1 failed, 2 wrong input. Spans of time: 20s, 5m, 2h, 1d.",
)
"""What stands below the list of all commands."""
EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("demo --for 60s",),
    "run": ("run plant.yaml --data data",),
    "init": (
        "init plant.yaml --opcua opc.tcp://10.20.0.11:4840",
        "init skid.yaml --unit SK-301 --modbus modbus://10.20.0.31:502",
    ),
    "check": ("check plant.yaml", "check plant.yaml --live"),
    "probe": ("probe 'modbus://10.20.0.31:502?unit=1' --registers 100-139",),
    "diff": ("diff old.yaml new.yaml",),
    "schema": ("schema -o plant.schema.json",),
    "simulate": ("simulate --write plant.yaml --speed 60", "simulate plant.yaml --scenario monday.yaml", "simulate --farm 200"),
    "upset": ("upset --list", "upset cooling_failure R-201 --for 10min", "upset offset TT-201B --value 3"),
    "status": ("status --data data",),
    "export": (
        "export --data data --from -2h --unit R-201 -o values.csv",
        "export --from 2026-11-23 --to 2026-11-24 --tags TT-201A",
    ),
    "judge": (
        "judge --data data --limits plant.yaml --unit R-201 --batch B-26-001",
        "judge --data batches.csv --limits limits.csv -o findings.csv",
    ),
    "verify": ("verify --data data", "verify --data data --sink historian --plant plant.yaml"),
    "backup": ("backup /mnt/safe/2026-11-26 --data data",),
    "restore": ("restore /mnt/safe/2026-11-26 --data data",),
    "archive": ("archive /mnt/archive/works --data data",),
    "quarantine": (
        "quarantine --data data",
        "quarantine --acknowledge NAME --note 'SSD replaced, J. Weber'",
        "quarantine --salvage NAME --to salvaged",
    ),
    "browse": ("browse opc.tcp://10.20.0.11:4840 --path Plant/R-201 -o tags.csv",),
    "certs": ("certs init", "certs trust opc.tcp://10.20.0.11:4840", "certs check plant.yaml"),
    "dead-letters": ("dead-letters list --data data", "dead-letters retry --sink historian"),
    "sinks": ("sinks forget historian --data data",),
    "alarms": (
        "alarms list --data data",
        "alarms acknowledge R-201/product_temperature/PAR-high --reason 'cooling is on'",
        "alarms shelve R-201/headspace_pressure/H --for 30min --reason 'probe is cleaned'",
        "alarms unshelve R-201/headspace_pressure/H",
        "alarms reset R-201/product_temperature/HH",
        "alarms service 'R-201/headspace_pressure/*' --reason 'transmitter is changed, order 4711'",
        "alarms service 'R-201/headspace_pressure/*' --back --reason 'checked at two points'",
        "alarms figures --from -7d",
    ),
}
"""By command, or group of commands: what is typed behind `reactorwatch`."""
_EXITS = {
    "check": "Exit codes: 0 fine, 1 the plant contradicts the file (--live), 2 the file is faulty.",
    "diff": "Exit codes: 0 no difference, 1 differences, 2 a file is faulty.",
    "judge": "Exit codes: 0 all inside, 1 something was outside or nothing could be judged, 2 wrong input. "
    "In limits.csv a header tag,low,high and a row for each tag are enough. What was taken for what is told on standard error.",
    "verify": "Exit codes: 0 sound, 1 not sound, 2 wrong input.",
    "archive": "Exit codes: 0 every closed day is in the archive, 1 some could not be archived, 2 wrong input.",
    "certs check": "Exit codes: 0 fine, 1 something is wrong with a certificate, 2 wrong input.",
}


def beneath(name: str) -> str:
    """What stands below the options of a command, a group, or a command of a group (`alarms shelve`); a paragraph a line."""
    group = name.partition(" ")[0]
    typed = [f"reactorwatch {text}" for text in EXAMPLES[group] if f"{text} ".startswith(f"{name} ")]
    examples = [f"Example: {typed[0]}"] if len(typed) == 1 else ["Examples:", *typed]
    return "\n\n".join([*examples, *filter(None, [_EXITS.get(name)])])
