"""Wrong plant files, and every line that is told of them: what, where, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import ConfigError, examine, load

SOUND = """\
site: Works
endpoints:
  r201:
    url: opc.tcp://10.0.0.5:4840
    devices:
      PLC:
        unit: R-201
        tags:
          TT-1:
            address: ns=2;s=TT1
            range: [0, 200]
  skid:
    url: modbus://10.0.0.6
    devices:
      SK:
        unit: R-201
        tags:
          PT-1: {address: "holding:10", type: uint16}
units:
  R-201:
limits:
  - {role: TT_1, par: [10, 90]}
"""


def told(tmp_path: Path, text: str | bytes) -> list[str]:
    """The faults of a file, without its name."""
    file = tmp_path / "plant.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).splitlines() == [str(fault) for fault in caught.value.faults]
    return [line.removeprefix(f"{file}:") for line in str(caught.value).splitlines()]


def test_the_sound_file_is_sound(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(SOUND)
    examination = examine(file)
    assert (examination.faults, examination.warnings) == ((), ())
    assert examination.plant == load(file)


TAG_KEYS = "address, role, engineering_unit, range, unit, group, scale, offset, states, plausible"
OPCUA_KEYS = f"{TAG_KEYS}, kind, deadband"
ONE_ITEM = [
    # old, new, line: path: what
    (
        "site: Works",
        "sit: Works",
        "1: sit: unknown key; did you mean 'site'?; known here: site, endpoints, units, limits, sinks, disk, web, "
        "include, templates, use",
    ),
    ("site: Works", "site: true", "1: site: found true, expected a text: put it in quotes if that is the text"),
    ("site: Works", "site:", "1: site: found nothing, expected a text: write one, or leave the key out"),
    ("site: Works", "site: ''", "1: site: empty: give a text"),
    ("site: Works", "site: [Works]", "1: site: found a list, expected a text"),
    ("site: Works", "site: {a: Works}", "1: site: found a mapping, expected a text"),
    ("            address: ns=2;s=TT1\n", "", "9: endpoints.r201.devices.PLC.tags.TT-1.address: missing: it must be given"),
    (
        "            range: [0, 200]",
        "            rnge: [0, 200]",
        f"11: endpoints.r201.devices.PLC.tags.TT-1.rnge: unknown key; did you mean 'range'?; known here: {OPCUA_KEYS}",
    ),
    (
        "            range: [0, 200]",
        "            7: [0, 200]",
        f"11: endpoints.r201.devices.PLC.tags.TT-1.7: unknown key; known here: {OPCUA_KEYS}",
    ),
    (
        "            range: [0, 200]",
        "            range: [200, 0]",
        "11: endpoints.r201.devices.PLC.tags.TT-1.range: low 200 is not below high 0: swap them?",
    ),
    (
        "            range: [0, 200]",
        "            range: [0, '200']",
        "11: endpoints.r201.devices.PLC.tags.TT-1.range[2]: found the text '200', expected a number: without quotes or unit, "
        "with a decimal point",
    ),
    (
        "            range: [0, 200]",
        "            range: 200",
        "11: endpoints.r201.devices.PLC.tags.TT-1.range: found a number, expected two bounds: [low, high]; null for an open side",
    ),
    (
        "            range: [0, 200]",
        "            range: [0, .nan]",
        "11: endpoints.r201.devices.PLC.tags.TT-1.range[2]: found the number .nan, expected a finite number",
    ),
    (
        "            range: [0, 200]",
        "            range: [0, 200]\n            scale: 1,5",
        "12: endpoints.r201.devices.PLC.tags.TT-1.scale: found the text '1,5', expected a number: without quotes or unit, "
        "with a decimal point",
    ),
    (
        "            range: [0, 200]",
        "            range: [0, 200]\n            scale: 1" + "0" * 400,
        "12: endpoints.r201.devices.PLC.tags.TT-1.scale: found the number 1" + "0" * 56 + "..., expected a smaller one",
    ),
    (
        "            range: [0, 200]",
        "            kind: number",
        "11: endpoints.r201.devices.PLC.tags.TT-1.kind: found the text 'number', expected one of real, integer, boolean, text",
    ),
    (
        "            range: [0, 200]",
        "            kind: integer\n            states:\n              1: Charge\n              '2': Heat\n              3.0: X",
        [
            "14: endpoints.r201.devices.PLC.tags.TT-1.states.2: found the text '2', "
            "expected a whole number: without quotes or unit",
            "15: endpoints.r201.devices.PLC.tags.TT-1.states.3.0: found the number 3.0, expected a whole number",
        ],
    ),
    (
        "            address: ns=2;s=TT1",
        "            address: ns=99999;s=TT1",
        "10: endpoints.r201.devices.PLC.tags.TT-1.address: 'ns=99999;s=TT1' is no NodeId: write e.g. 'ns=2;s=R201.TT201A' or "
        "'nsu=urn:plant;i=1001'",
    ),
    (
        "          TT-1:\n",
        "          TT-1:\n            name: TT-2\n",
        "10: endpoints.r201.devices.PLC.tags.TT-1.name: the key above is the name already: leave this line out",
    ),
    (
        "          TT-1:\n",
        "          'TT-1 ':\n",
        "9: endpoints.r201.devices.PLC.tags.TT-1 .name: 'TT-1 ' begins or ends with a space, or ends with a backslash: "
        "write it without",
    ),
    (
        'PT-1: {address: "holding:10", type: uint16}',
        "PT-1: holding:10",
        "18: endpoints.skid.devices.SK.tags.PT-1: found a text, expected a mapping: lines of `key: value`, indented below",
    ),
    (
        'PT-1: {address: "holding:10", type: uint16}',
        "- {name: PT-1}",
        "17: endpoints.skid.devices.SK.tags: found a list, expected each item under its name: lines of `name:`, indented below",
    ),
    (
        "          PT-1: {address",
        "          {}\n          #",
        "17: endpoints.skid.devices.SK.tags: empty: give at least one",
    ),
    (
        "        unit: R-201\n        tags:\n          PT",
        "        unit_id: true\n        gap: 1.0\n        max_registers: 126\n        unit: R-201\n        tags:\n          PT",
        [
            "16: endpoints.skid.devices.SK.unit_id: found true, expected a whole number",
            "17: endpoints.skid.devices.SK.gap: found the number 1.0, expected a whole number",
            "18: endpoints.skid.devices.SK.max_registers: found the number 126, expected at most 125",
        ],
    ),
    (
        "        unit: R-201\n        tags:\n          PT",
        "        forbidden: holding:1\n        unit: R-201\n        tags:\n          PT",
        "16: endpoints.skid.devices.SK.forbidden: found a text, expected a list: lines of `- item`, or [item, item]",
    ),
    (
        "    url: modbus://10.0.0.6\n",
        "    url: modbus://10.0.0.6\n    timeout_s: 0\n",
        "14: endpoints.skid.timeout_s: found the number 0, expected more than 0",
    ),
    (
        "url: modbus://10.0.0.6",
        "url: modbus://10.0.0.6:502/1",
        "13: endpoints.skid.url: 'modbus://10.0.0.6:502/1' has more than a host and a port: write e.g. modbus://10.0.0.5:502",
    ),
    (
        "url: modbus://10.0.0.6",
        "url: modbus://10.0.0.6:0",
        "13: endpoints.skid.url: 'modbus://10.0.0.6:0' is no address of a server: write e.g. modbus://10.0.0.5:502",
    ),
    (
        "url: modbus://10.0.0.6",
        "url: modbus+rtu://10.0.0.6/dev/ttyUSB0",
        "13: endpoints.skid.url: 'modbus+rtu://10.0.0.6/dev/ttyUSB0' has more than a host and a port: write e.g. "
        "modbus+rtu://10.0.0.5:502",
    ),
    (
        "url: modbus://10.0.0.6",
        "url: modbus+serial://dev/ttyUSB0",
        "13: endpoints.skid.url: 'modbus+serial://dev/ttyUSB0' names no serial port: three slashes and its path, e.g. "
        "modbus+serial:///dev/ttyUSB0",
    ),
    (
        "url: modbus://10.0.0.6\n",
        "url: modbus://10.0.0.6\n    baudrate: 9600\n",
        "12: endpoints.skid: baudrate fits modbus+serial:// only: take it out, or give such a url",
    ),
    (
        "url: modbus://10.0.0.6\n",
        "url: modbus+rtu://10.0.0.6\n    pipeline: 2\n",
        "12: endpoints.skid: pipeline fits modbus:// or modbus+tls:// only: take it out, or give such a url",
    ),
    (
        "url: modbus://10.0.0.6\n",
        "url: modbus+tls://10.0.0.6\n    key: key.pem\n",
        "12: endpoints.skid: a certificate and its key come together: give both or neither",
    ),
    (
        "url: modbus://10.0.0.6\n",
        "url: modbus+serial:///dev/ttyS0\n    data_bits: 7\n",
        "14: endpoints.skid.data_bits: 7 data bits are for Modbus ASCII, RTU needs 8: set the device to RTU, leave this out",
    ),
    (
        "url: modbus://10.0.0.6\n    devices:\n      SK:\n",
        "url: modbus+rtu://10.0.0.6\n    devices:\n      SK:\n        unit_id: 0\n",
        "16: endpoints.skid.devices.SK.unit_id: unit_id 0 speaks to all devices of a serial line, and none answers: give the "
        "device's own, 1 to 247",
    ),
    (
        "url: modbus://10.0.0.6",
        "url: tcp://10.0.0.6",
        "13: endpoints.skid.url: found a url that begins with tcp://, expected opc.tcp://host:4840 (OPC UA) or modbus://host:502 "
        "(Modbus)",
    ),
    (
        "url: modbus://10.0.0.6",
        "ulr: modbus://10.0.0.6",
        "12: endpoints.skid.url: missing: it tells the protocol; write opc.tcp://host:4840 (OPC UA) or modbus://host:502 "
        "(Modbus); is 'ulr' meant for it?",
    ),
    (
        "  R-201:\nlimits",
        "  R-201: {mode: GMP}\nlimits",
        "20: units.R-201.mode: found the text 'GMP', expected one of pilot, gmp; did you mean 'gmp'?",
    ),
    (
        "par: [10, 90]}",
        "par: [10, 90], cpp: yes}",
        "22: limits[1].cpp: found the text 'yes', expected true or false",
    ),
    ("par: [10, 90]}", "statistic: mean, par: [10, 90]}", "22: limits[1]: statistic mean needs window_s, e.g. 60"),
    ("par: [10, 90]}", "}", "22: limits[1]: limits nothing: give nor, par or alarm"),
    (
        "  - {role: TT_1, par: [10, 90]}",
        "  TT_1: {par: [10, 90]}",
        "21: limits: found a mapping, expected a list: lines of `- item`, or [item, item]",
    ),
    (
        "limits:",
        "web: {port: '80'}\nlimits:",
        "21: web.port: found the text '80', expected a whole number: without quotes or unit",
    ),
    ("limits:", "web: 8480\nlimits:", "21: web: found a number, expected a mapping: lines of `key: value`, indented below"),
    (
        "limits:",
        "sinks: {db: {kind: influxdb, url: 'http://h'}}\nlimits:",
        "21: sinks.db.kind: found the text 'influxdb', expected one of influxdb2, influxdb1, victoriametrics; "
        "did you mean 'influxdb2'?",
    ),
    (
        "limits:",
        "sinks: {db: {knd: influxdb1, url: 'http://h'}}\nlimits:",
        "21: sinks.db.kind: missing: write influxdb2, influxdb1 or victoriametrics; is 'knd' meant for it?",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), ONE_ITEM)
def test_an_item_is_wrong(tmp_path: Path, old: str, new: str, expected: str | list[str]) -> None:
    assert SOUND.count(old) == 1, old
    lines = told(tmp_path, SOUND.replace(old, new))
    wanted = [expected] if isinstance(expected, str) else expected
    missing_site = ["1: site: missing: it must be given"] if new.startswith("sit:") else []
    assert lines == wanted + missing_site


def test_everything_is_told_at_once_and_in_order(tmp_path: Path) -> None:
    text = """\
endpoints:
  r201:
    url: opc.tcp://10.0.0.5
    devices:
      PLC:
        unit: R-201
        tags:
          TT-1: {address: i=1, rol: a}
          TT-2: {address: i=2, role: b}
          TT-2: {address: i=3}
      PLC2:
        unit: R-201
        tags:
          TT-3: {address: i=4, role: b}
          TT-4: {address: !!python/name:os.system i=5}
units: {R-201: {modus: gmp}}
limits:
  - {role: b, par: [1, 2]}
  - {role: b, par: [1, 2], nor: [1, 9]}
  - {role: b, par: [1, 3]}
sinks:
  my db: {kind: influxdb1, url: "http://h", database: d, password: {env: A}}
"""
    assert told(tmp_path, text) == [
        "1: site: missing: it must be given",
        f"8: endpoints.r201.devices.PLC.tags.TT-1.rol: unknown key; did you mean 'role'?; known here: {OPCUA_KEYS}",
        "10: endpoints.r201.devices.PLC.tags: key 'TT-2' is written twice, first on line 9: keep one",
        "14: endpoints.r201.devices.PLC2.tags.TT-3.role: role b of unit R-201 is taken by TT-2 of device PLC: "
        "give one of them another role",
        "15: endpoints.r201.devices.PLC2.tags.TT-4.address: a tag (a word that begins with !) is not followed here: "
        "leave it out, or put the text in quotes",
        "16: units.R-201.modus: unknown key; did you mean 'mode'?; known here: description, product, "
        "recipe_version, mode, context",
        "19: limits[2]: nor reaches outside par: the normal operating range lies inside the proven acceptable range",
        "20: limits[3]: limits[1] has the same product, recipe_version, unit, phase, role, statistic and window_s: join them",
        "22: sinks.my db: a sink's name has letters, digits, - and _ only, begins with a letter or _, and is at most 64 long",
        "22: sinks.my db.password: a password without user_name would never be used: give both or neither",
    ]


def test_nothing_is_said_to_be_missing_that_a_faulty_item_may_hold(tmp_path: Path) -> None:
    """The tag with the misspelt key is the one that the limit is about: one fault, not two."""
    assert told(tmp_path, SOUND.replace("            range:", "            rang:")) == [
        f"11: endpoints.r201.devices.PLC.tags.TT-1.rang: unknown key; did you mean 'range'?; known here: {OPCUA_KEYS}"
    ]


def test_a_faulty_limit_does_not_hide_what_is_missing(tmp_path: Path) -> None:
    lines = told(tmp_path, SOUND + "  - {role: TT_1}\n  - {role: TT_2, par: [1, 2]}\n")
    assert lines == [
        "23: limits[2]: limits nothing: give nor, par or alarm",
        "24: limits[3].role: no tag of any unit has role 'TT_2'; did you mean 'TT_1'?",
    ]


NOT_YAML = [
    ("", "1: is empty: is it the right file?"),
    ("# only this\n\n", "1: is empty: is it the right file?"),
    ("---", "1: is empty: is it the right file?"),
    ("\n\n- site\n", "3: holds no keys: write site: and endpoints: at the beginning of a line"),
    ("site", "1: holds no keys: write site: and endpoints: at the beginning of a line"),
    ("site: a\n\tb: c\n", "2: is not valid YAML: a tab stands where spaces belong: indent with spaces"),
    ("site: a: b\n", "1: is not valid YAML: a ':' stands where none fits: mend the indentation, or quote the text that holds it"),
    (
        "site: a\n  units: b\n",
        "2: is not valid YAML: a ':' stands where none fits: mend the indentation, or quote the text that holds it",
    ),
    ("site: a\nunits\nweb: 1\n", "2: is not valid YAML: a line without ':' stands among keys: write `key: value`"),
    ("site: 'a\nunits: b\n", "1: is not valid YAML: the quote opened here is never closed"),
    (
        "site:\n  - [1, 2\nunits: b\n",
        "3: is not valid YAML: a list [...] lacks a comma or its closing bracket; it begins on line 2",
    ),
    ("site: {a: 1\nunits: b\n", "2: is not valid YAML: a mapping {...} lacks a comma or its closing brace; it begins on line 1"),
    ("site: a\n---\nsite: b\n", "2: is not valid YAML: a second document (---) begins: keep one plant in a file"),
    ("site: @a\n", "1: is not valid YAML: a text that begins with @, % or ` must be in quotes"),
    (
        "site: *a\n",
        "1: is not valid YAML: a text that begins with * is an alias, and no anchor (&) before it has that name: quote the text",
    ),
    ("site: &a b\nunits: &a c\n", "2: is not valid YAML: an anchor (&) of this name is set already: give it another name"),
    ("site: a\nunits: &a [*a]\n", "2: an alias stands inside its own anchor, so it would never end: write the values out"),
    ("site: a\nx: " + "[" * 3000, "2: is not valid YAML: is nested deeper than 40: no plant file is"),
    ("- " * 3000, "1: is not valid YAML: is nested deeper than 40: no plant file is"),
    ("site: a\nb\0c\n", "2: character 0x00 can't be shown: leave it out"),
    ('site: a\nx: "\\UFFFFFFFF"\n', "2: is not valid YAML: a number in an escape or a directive is beyond all bounds"),
    (
        'site: "a\\d"\n',
        "1: is not valid YAML: unknown escape in a double-quoted text: write \\\\ for a backslash, or use single quotes",
    ),
    ("site: a\nx: 20 °C\n".encode("latin-1"), "2: byte 0xB0 is not UTF-8: save the file as UTF-8"),
    ("site: a\n".encode("utf-16"), "1: byte 0xFF is not UTF-8: save the file as UTF-8"),
]


@pytest.mark.parametrize(("text", "expected"), NOT_YAML, ids=range(len(NOT_YAML)))
def test_a_file_is_no_yaml(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert told(tmp_path, text) == [expected]


def test_aliases_that_multiply_are_refused_at_once(tmp_path: Path) -> None:
    layers = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    (line,) = told(tmp_path, "a0: &a0 [x]\n" + layers)
    assert line == "7: holds more than 1000000 values or is nested deeper than 40: do aliases multiply?"


def test_chains_of_aliases_do_not_nest_without_end(tmp_path: Path) -> None:
    chain = "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))
    (line,) = told(tmp_path, "a0: &a0 [x]\n" + chain)
    assert line == "40: holds more than 1000000 values or is nested deeper than 40: do aliases multiply?"


def test_keys_that_are_none(tmp_path: Path) -> None:
    lines = told(tmp_path, SOUND + "? [a]\n: b\ntrue: 1\n~: 2\n<<: {site: b}\n!x y: 1\n")
    assert lines == [
        "23: a list or mapping stands where a key belongs: write a plain text",
        "25: found true as a key: put it in quotes if the text is meant",
        "26: found nothing as a key: put it in quotes if the text is meant",
        "27: merge keys (<<) are not followed: write the keys out",
        "28: a tag (a word that begins with !) is not followed here: leave it out, or put the text in quotes",
    ]


def test_equal_keys_are_told_however_they_are_written(tmp_path: Path) -> None:
    tag = "{address: i=1}"
    tags = f"          3.1: {tag}\n          3.10: {tag}\n          '7': {tag}\n          7: {tag}\n"
    lines = told(tmp_path, SOUND.replace("          TT-1:\n", tags + "          TT-1:\n"))
    assert lines == [
        "10: endpoints.r201.devices.PLC.tags: key '3.10' is written twice, first on line 9: keep one",
        "12: endpoints.r201.devices.PLC.tags: key '7' is written twice, first on line 11: keep one",
    ]


def test_files_that_are_none(tmp_path: Path) -> None:
    for path, what in (
        (tmp_path / "none.yaml", "can't be read: No such file or directory; give the path of a file"),
        (tmp_path, "can't be read: Is a directory; give the path of a file"),
        (Path("/dev/zero"), "is longer than 16777216 bytes: is it the right file?"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(caught.value) == f"{path}:1: {what}"
    with pytest.raises(ConfigError, match="NUL character"):
        load(Path("a\0b"))
