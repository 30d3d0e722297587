"""What needs two items of a plant to be seen: each check on a plant file that breaks it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import Examination, examine

PLANT = """\
site: Works
endpoints:
  r201:
    url: opc.tcp://10.0.0.5
    devices:
      PLC-1:
        unit: R-201
        groups: {fast: {period_s: 1}, slow: {period_s: 60}}
        tags:
          TT-1: {address: i=1, role: temperature, range: [0, 100], group: fast}
          PT-1: {address: i=2, role: pressure, group: slow}
          XV-1: {address: i=3, role: valve, kind: boolean, group: slow}
          PHASE: {address: i=4, role: phase, kind: integer, states: {1: Charge, 2: Heat}, group: slow}
  skid:
    url: modbus://10.0.0.6
    devices:
      SK-1:
        unit_id: 1
        unit: R-202
        tags:
          TT-2: {address: "holding:10", type: float32, role: temperature}
          PH-2: {address: "holding:14", type: text, length: 4, role: step}
      SK-2:
        unit_id: 2
        unit: R-202
        tags:
          PT-2: {address: "input:10", type: float32, role: pressure}
units:
  R-201:
  R-202:
limits:
  - {role: temperature, par: [10, 90]}
  - {role: temperature, unit: R-201, phase: Heat, par: [10, 90]}
sinks:
  db: {kind: influxdb1, url: "http://h", database: d}
"""
R201, SKID = "endpoints.r201.devices.PLC-1", "endpoints.skid.devices"
RECORDER = "  rec:\n    url: opc.tcp://10.0.0.7\n    devices: {PLC-2: {unit: R-201, tags: {PT-2: {address: i=1, role: r}}}}\n"


def examined(tmp_path: Path, old: str, new: str) -> tuple[Examination, str]:
    file = tmp_path / "plant.yaml"
    assert PLANT.count(old) == 1, old
    file.write_text(PLANT.replace(old, new))
    return examine(file), f"{file}:"


def test_the_plant_itself_is_sound(tmp_path: Path) -> None:
    examination, _ = examined(tmp_path, "site: Works", "site: Works")
    assert (examination.faults, examination.warnings) == ((), ())


FAULTS = [
    (
        "        unit: R-201\n",
        "        unit: R-20\n",
        [f"7: {R201}.unit: no unit 'R-20'; did you mean 'R-202'?; units of this plant: R-201, R-202"],
    ),
    (
        "        unit: R-201\n",
        "",
        [f"6: {R201}: TT-1, PT-1, XV-1 and others: no unit owns them; give the device or each tag a unit"],
    ),
    (
        "role: pressure, group: slow",
        "role: pressure, group: slow, unit: R-203",
        [f"11: {R201}.tags.PT-1.unit: no unit 'R-203'; did you mean 'R-202'?; units of this plant: R-201, R-202"],
    ),
    (
        "role: pressure, group: slow",
        "role: pressure, group: Slow",
        [f"11: {R201}.tags.PT-1.group: no group 'Slow'; did you mean 'slow'?; groups of this device: fast, slow"],
    ),
    (
        "role: pressure, group: slow",
        "role: pressure",
        [f"11: {R201}.tags.PT-1: group is missing: the device has several; say one of fast, slow"],
    ),
    (
        "role: pressure, group: slow",
        "role: temperature, group: slow",
        [
            f"11: {R201}.tags.PT-1.role: role temperature of unit R-201 is taken by TT-1 of device PLC-1: "
            "give one of them another role"
        ],
    ),
    (
        "          PT-2: ",
        "          TT-2: ",
        [f"27: {SKID}.SK-2.tags.TT-2: unit R-202 has a tag of this name on device SK-1: rename one"],
    ),
    (
        "  skid:",
        RECORDER.replace("PLC-2", "PLC-1") + "  skid:",
        ["16: endpoints.rec.devices.PLC-1: endpoint r201 has a device of this name: a device's name must be unique in the plant"],
    ),
    (
        "unit_id: 2",
        "unit_id: 1",
        [f"24: {SKID}.SK-2.unit_id: device SK-1 has unit_id 1 on this endpoint: give each device its own"],
    ),
    (
        'PT-2: {address: "input:10", type: float32',
        'PT-2: {address: "input:10", type: int32',
        [
            f"27: {SKID}.SK-2.tags.PT-2: role pressure is integer here and real on unit R-201 (PT-1 of device PLC-1): "
            "a role has one kind in the whole plant; give it another role here"
        ],
    ),
    (
        "unit_id: 1",
        "max_registers: 3",
        [f"22: {SKID}.SK-1.tags.PH-2: takes 4 registers, the device answers 3 in one read (max_registers)"],
    ),
    (
        "        unit_id: 2\n",
        '        unit_id: 2\n        forbidden: ["coil:0-99", "input:11", "holding:0-99"]\n',
        [
            f"28: {SKID}.SK-2.tags.PT-2.address: input:10 lies in input:11, which is forbidden for this device: "
            "take one of them out"
        ],
    ),
    (
        "    url: modbus://10.0.0.6\n",
        "    url: modbus://10.0.0.6\n    backoff_s: 60\n",
        ["16: endpoints.skid.backoff_s: backoff_limit_s 30 is below backoff_s 60: make it the greater one"],
    ),
    (
        "    url: opc.tcp://10.0.0.5\n",
        "    url: opc.tcp://10.0.0.5\n    user_name: reader\n",
        ["5: endpoints.r201.user_name: a user_name without password: give both or neither"],
    ),
    (
        "    url: opc.tcp://10.0.0.5\n",
        "    url: opc.tcp://10.0.0.5\n    user_certificate: u.der\n",
        ["5: endpoints.r201.user_certificate: a user_certificate without user_key proves nothing: give both or neither"],
    ),
    (
        "    url: opc.tcp://10.0.0.5\n",
        "    url: opc.tcp://10.0.0.5\n    user_key: u.pem\n",
        ["5: endpoints.r201.user_key: a user_key without user_certificate would never be used: give both or neither"],
    ),
    (
        "    url: opc.tcp://10.0.0.5\n",
        "    url: opc.tcp://10.0.0.5\n    security: {mode: sign, trust: certs}\n",
        [
            "5: endpoints.r201.security.mode: without a security policy it would never be used: give policy, e.g. "
            "Basic256Sha256, or leave it out",
            "5: endpoints.r201.security.trust: without a security policy it would never be used: give policy, e.g. "
            "Basic256Sha256, or leave it out",
        ],
    ),
    (
        "    url: opc.tcp://10.0.0.5\n",
        "    url: opc.tcp://10.0.0.5\n    security: {policy: Basic256}\n",
        [
            "5: endpoints.r201.security.policy: found the text 'Basic256', expected one of none, Basic256Sha256, "
            "Aes128_Sha256_RsaOaep, Aes256_Sha256_RsaPss; did you mean 'Basic256Sha256'?"
        ],
    ),
    (
        "    url: opc.tcp://10.0.0.5\n",
        "    url: opc.tcp://10.0.0.5\n    security: Basic256Sha256\n",
        ["5: endpoints.r201.security: found a text, expected a mapping: lines of `key: value`, indented below"],
    ),
    (
        "database: d",
        "database: d, password: {file: p}",
        ["35: sinks.db.password: a password without user_name would never be used: give both or neither"],
    ),
    (
        "  db: {",
        "  db/1: {",
        ["35: sinks.db/1: a sink's name has letters, digits, - and _ only, begins with a letter or _, and is at most 64 long"],
    ),
    (
        "  R-202:\n",
        "  R-202: {context: {phase: stp, batch_id: step}}\n",
        ["30: units.R-202.context.phase: no tag of unit R-202 has role 'stp'; did you mean 'step'?; write the role of a tag"],
    ),
    (
        "  R-201:\n",
        "  R-201: {context: {batch_id: pressure}}\n",
        [
            f"11: {R201}.tags.PT-1: its role tells the batch_id, and it is real: make it text or integer, "
            "or name another role in context"
        ],
    ),
    (
        "kind: integer, states: {1: Charge, 2: Heat}",
        "kind: boolean",
        [
            f"13: {R201}.tags.PHASE: its role tells the phase, and it is boolean: make it text or integer, "
            "or name another role in context"
        ],
    ),
    (
        "unit: R-201, phase: Heat",
        "unit: R-301, phase: Heat",
        ["33: limits[2].unit: no unit 'R-301'; did you mean 'R-201'?; units of this plant: R-201, R-202"],
    ),
    (
        "unit: R-201, phase: Heat",
        "unit: R-201, phase: heat",
        ["33: limits[2].phase: no phase 'heat'; did you mean 'Heat'?; states of the phase tag: Charge, Heat"],
    ),
    (
        "role: temperature, unit: R-201",
        "role: temprature, unit: R-201",
        ["33: limits[2].role: no tag of unit R-201 has role 'temprature'; did you mean 'temperature'?"],
    ),
    (
        "role: temperature, unit: R-201",
        "role: valve, unit: R-201",
        ["33: limits[2].role: valve is boolean (XV-1 of device PLC-1): only a real or integer tag has limits"],
    ),
    (
        "unit: R-201, phase: Heat, par: [10, 90]",
        "par: [20, 30]",
        ["33: limits[2]: limits[1] has the same product, recipe_version, unit, phase, role, statistic and window_s: join them"],
    ),
    (
        "phase: Heat, par: [10, 90]",
        "phase: Heat, nor: [101, 110], par: [null, 120]",
        [
            "33: limits[2].nor: lies wholly outside the range [0, 100] of TT-1 of device PLC-1, so it is never met: "
            "mend one of them"
        ],
    ),
    (
        "role: temperature, unit: R-201, phase: Heat,",
        "role: pressure, unit: R-201, statistic: mean, window_s: 119,",
        ["33: limits[2].window_s: window_s 119 holds fewer than 2 samples of PT-1 of device PLC-1, read every 60 s: lengthen it"],
    ),
    (
        'TT-2: {address: "holding:10", type: float32, role: temperature}',
        'TT-2: {address: "holding:10", type: uint16, scale: 0.1, range: [0, 8000], role: temperature}',
        [
            f"21: {SKID}.SK-1.tags.TT-2.range: [0, 8000] is more than uint16 · 0.1 can show, which is 0 to 6553.5: "
            "mend range, scale or type"
        ],
    ),
    (
        'TT-2: {address: "holding:10", type: float32, role: temperature}',
        'TT-2: {address: "holding:10", type: uint16, scale: 0.1, range: [-30, 200], role: temperature}',
        [
            f"21: {SKID}.SK-1.tags.TT-2.range: [-30, 200] is more than uint16 · 0.1 can show, which is 0 to 6553.5: "
            "is the type int16?"
        ],
    ),
    (
        'PT-2: {address: "input:10", type: float32, role: pressure}',
        'PT-2: {address: "input:10", type: bcd16, role: x, states: {0: A, 10000: B}}',
        [f"27: {SKID}.SK-2.tags.PT-2.states.10000: 10000 never comes: the register shows 0 to 9999"],
    ),
    (
        "phase: Heat, par: [10, 90]",
        "phase: Heat, nor: [20, 24], par: [10, 90], deadband: 4",
        [
            "33: limits[2].deadband: 4 is as wide as nor [20, 24], so what has left it on one side comes back on the other only: "
            "give less than 4, usual is 0.04"
        ],
    ),
    (
        "phase: Heat, par: [10, 90]",
        "phase: Heat, alarm: {l: 20, h: 24}, deadband: 5",
        [
            "33: limits[2].deadband: 5 is as wide as l 20 to h 24, so what has left it on one side comes back on the other only: "
            "give less than 4, usual is 0.04"
        ],
    ),
    (
        "phase: Heat, par: [10, 90]",
        "phase: Heat, statistic: std, window_s: 60, par: [null, -1]",
        ["33: limits[2].par: a standard deviation is never below 0, so this is never met: mend it"],
    ),
    (
        "unit: R-201, phase: Heat, par: [10, 90]",
        "statistic: mean, window_s: 60, par: [91, 95]",
        [
            "33: limits[2].par: mean within [91, 95] and value within [10, 90] (limits[1]) are never met together: "
            "mend one of them"
        ],
    ),
    (
        'PH-2: {address: "holding:14"',
        'PH-2: {address: "holding:11"',
        [
            f"22: {SKID}.SK-1.tags.PH-2.address: holding:11-14 overlaps TT-2, which takes holding:10-11: "
            "is an address or a type wrong?"
        ],
    ),
    (
        "{role: temperature, par: [10, 90]}",
        "{role: temperature, alarm: {}}",
        ["32: limits[1].alarm: holds no level: give ll, l, h or hh, or leave alarm out"],
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), FAULTS)
def test_items_do_not_fit(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    examination, file = examined(tmp_path, old, new)
    assert [str(fault).removeprefix(file) for fault in examination.faults] == expected
    assert examination.plant is None


@pytest.mark.parametrize(
    ("other", "added", "is_fault"),
    [
        ("float32", '"holding:11", type: float32', True),
        ("float32", '"holding:10", type: uint16', True),
        ("int32", '"holding:11", type: int32', True),
        ("int32", '"holding:11", type: uint16', False),
        ("uint64", '"holding:12", type: float32', False),
        ("float32", '"holding:10", type: int32', False),
    ],
)
def test_registers_of_two_values_that_overlap(tmp_path: Path, other: str, added: str, is_fault: bool) -> None:
    """A half of a float is no value; a half of a whole number may be one, such as a word of states."""
    new = f'TT-2: {{address: "holding:10", type: {other}}}\n          X: {{address: {added}}}'
    text = 'TT-2: {address: "holding:10", type: float32, role: temperature}'
    examination, _ = examined(tmp_path, text, new)
    told = examination.faults if is_fault else examination.warnings
    assert [fault.path.rsplit(".", 2)[1:] for fault in told][:1] == [["X", "address"]]
    assert (examination.plant is None) is is_fault


WARNINGS = [
    (
        "    url: opc.tcp://10.0.0.5\n",
        "    url: opc.tcp://10.0.0.5\n    user_name: reader\n    password: {env: A}\n",
        [
            "6: endpoints.r201.password: without security others on the network may read it, and the server is not known to be "
            "the right one: give security, e.g. {policy: Basic256Sha256}"
        ],
    ),
    (
        "    url: opc.tcp://10.0.0.5\n",
        "    url: opc.tcp://10.0.0.5\n    user_certificate: u.der\n    user_key: u.pem\n",
        [
            "5: endpoints.r201.user_certificate: without security it proves the user to whoever answers, and values can be "
            "changed on the way: give security, e.g. {policy: Basic256Sha256}"
        ],
    ),
    (
        "  skid:",
        RECORDER.replace("10.0.0.7", "10.0.0.5:4840/x") + "  skid:",
        ["15: endpoints.rec.url: endpoint r201 has the same address: a second connection is made; put the devices under one"],
    ),
    ("{address: i=2", "{address: i=1", [f"11: {R201}.tags.PT-1.address: i=1 is also read by TT-1: is it copied?"]),
    ("  R-202:\n", "  R-202:\n  R-203:\n", ["31: units.R-203: owns no tag: give a device or tags this unit, or take it out"]),
    (
        "slow: {period_s: 60}",
        "slow: {period_s: 60}, idle: ",
        [f"8: {R201}.groups.idle: no tag is read with this group: take it out, or name it in a tag"],
    ),
    (
        "sinks:\n",
        'sinks:\n  db0: {kind: influxdb1, url: "http://h/", database: d}\n',
        ["36: sinks.db: sink db0 goes to the same place: everything is sent there twice"],
    ),
    (
        "sinks:",
        "web: {host: 0.0.0.0}\nsinks:",
        ["34: web.host: 0.0.0.0 can be reached from other machines, and the page asks for no password: 127.0.0.1 keeps it here"],
    ),
    (
        "unit: R-201, phase: Heat, par: [10, 90]",
        "unit: R-202, phase: Heat, par: [10, 90]",
        ["33: limits[2].phase: no tag tells the phase of R-202, so this is never judged: add a tag with role phase"],
    ),
    (
        "phase: Heat, par: [10, 90]",
        "phase: Heat, par: [10, 90], alarm: {h: 95, hh: 105}",
        [
            "33: limits[2].alarm: alarm h 95 lies outside par: nobody has time to act before the deviation",
            "33: limits[2].alarm.hh: 105 lies outside the range [0, 100] of TT-1 of device PLC-1: it may never come",
        ],
    ),
    (
        "phase: Heat, par: [10, 90]",
        "statistic: mean, window_s: 36001, par: [10, 90]",
        ["33: limits[2].window_s: holds more than 36000 samples of TT-1 of device PLC-1, all in memory: is it so long?"],
    ),
    (
        "phase: Heat, par: [10, 90]",
        "phase: Heat, par: [10, 120]",
        ["33: limits[2].par: 120 lies outside the range [0, 100] of TT-1 of device PLC-1: nobody would see it left on that side"],
    ),
    (
        "XV-1: {address: i=3,",
        "XV-1: {address: i=3, range: [0, 1],",
        [f"12: {R201}.tags.XV-1.range: the tag is boolean, so a range says nothing: leave it out"],
    ),
    (
        "    url: modbus://10.0.0.6\n",
        "    url: modbus://10.0.0.6\n    timeout_s: 11\n",
        [
            "16: endpoints.skid.timeout_s: 11 s is more than 10 periods of its slowest group (1 s): an answer after the next "
            "slot is lost anyway; give a few seconds"
        ],
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), WARNINGS)
def test_what_is_unwise(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    examination, file = examined(tmp_path, old, new)
    assert examination.faults == ()
    assert examination.plant is not None
    assert [str(warning).removeprefix(file) for warning in examination.warnings] == expected


def test_a_phase_that_has_only_a_number_may_be_limited(tmp_path: Path) -> None:
    examination, _ = examined(tmp_path, "unit: R-201, phase: Heat", "unit: R-201, phase: 7")
    assert (examination.faults, examination.warnings) == ((), ())


def test_a_bit_and_its_register_are_two_things(tmp_path: Path) -> None:
    examination, _ = examined(
        tmp_path,
        "          PH-2:",
        '          B: {address: "holding:10.3"}\n          C: {address: "holding:10.4"}\n          PH-2:',
    )
    assert (examination.faults, examination.warnings) == ((), ())


def test_two_windows_of_one_statistic_are_two_limits(tmp_path: Path) -> None:
    row = "  - {role: temperature, unit: R-201, statistic: mean, window_s: %d, par: [10, 90]}\n"
    examination, _ = examined(tmp_path, "limits:\n", "limits:\n" + row % 60 + row % 600)
    assert (examination.faults, examination.warnings) == ((), ())
