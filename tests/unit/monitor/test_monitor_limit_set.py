"""By which limits something was judged: the hash of the limit set, which every excursion names."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from collector.monitor.judge import Judge
from collector.monitor.limit_set import LimitSets
from collector.monitor.relations import Relations
from collector.terms import EventKind, Stamp
from config.limits import Limit
from tests.unit.monitor.judged import DOSE, HOLD, START_NS, column, layout, limit, of_kind, run, scan, text

ROWS = [
    limit(par=[0, 10], phase="Dose"),
    limit(par=[0, 20], phase="Hold", rationale="PPQ report 7"),
    limit("p", alarm={"h": 3.5}, unit="R-201"),
]
OTHERS = [limit(par=[0, 30], product="B"), limit("p", alarm={"h": 4}, unit="R-202"), limit(nor=[0, 1], recipe_version="9")]
WRITTEN = [
    '{"phase":"Dose","role":"t","par":{"low":0.0,"high":10.0}}',
    '{"phase":"Hold","role":"t","par":{"low":0.0,"high":20.0},"rationale":"PPQ report 7"}',
    '{"unit":"R-201","role":"p","alarm":{"h":3.5}}',
]
HASH = sha256("\n".join(WRITTEN).encode()).hexdigest()


def hash_of(*rows: Limit, unit: str = "R-201", stamp: Stamp = DOSE) -> str:
    return LimitSets(rows).hash(unit, stamp)


def test_it_is_the_same_for_ever() -> None:
    """It stands in records: written in another way, those of before and after can't be compared."""
    assert hash_of(*ROWS) == HASH == "f374340bee8de0ed064f7045b6dce2043ffd107bd7492e259720033aeacdec1e"


def test_neither_order_nor_rows_for_others_change_it_and_every_phase_has_the_same() -> None:
    assert hash_of(*OTHERS, *reversed(ROWS)) == HASH
    assert hash_of(*ROWS, stamp=replace(HOLD, batch="B-9")) == HASH


def test_any_figure_text_or_row_changes_it() -> None:
    other = [hash_of(*ROWS, unit="R-202"), hash_of(limit(par=[0, 10.5], phase="Dose"), *ROWS[1:])]
    other += [
        hash_of(ROWS[0], limit(par=[0, 20], phase="Hold"), ROWS[2]),
        hash_of(*ROWS, *OTHERS, stamp=replace(DOSE, product="B")),
    ]
    assert len({HASH, *other}) == 5
    assert hash_of(*ROWS[:2]) == hash_of(*ROWS, unit="R-202")


def test_an_excursion_names_the_set_that_held_when_it_was() -> None:
    """With another recipe version another set holds: what ends then was judged by the one before."""
    judge, new = Judge(layout(), [*ROWS, *OTHERS]), replace(DOSE, recipe_version="9")
    told = run(judge, layout(), [(0, [15.0], (DOSE,)), (1, [15.0], (new,)), (2, [5.0], (new,)), (3, [5.0], (new,))])
    found = [(text(event, "state"), text(event, "limits_hash")) for event in of_kind(told, EventKind.EXCURSION)]
    assert found == [
        ("open", HASH),
        ("closed", HASH),
        *((state, hash_of(*ROWS, OTHERS[2], stamp=new)) for state in ("open", "closed")),
    ]


def test_an_excursion_of_an_expression_names_the_whole_set() -> None:
    two = layout(column("t"), column("p"))
    lead = Limit.model_validate({"name": "lead", "expression": "t - p", "par": [0, 1]})
    relations = Relations([*ROWS, lead])
    (event,) = of_kind(relations.judge(scan(two, START_NS, [9.0, 2.0]), (DOSE,)), EventKind.EXCURSION)
    assert event.body["limits_hash"] == hash_of(*ROWS, lead) != HASH
