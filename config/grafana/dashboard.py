"""The dashboard "Reactor", in InfluxQL, which InfluxDB 1, 2 and 3 speak. The measurements: docs/reference/influxdb.md.

Roles are found by what is in their name (`temperature`, `pressure`, `stirrer`, `dos`), so one dashboard suits every reactor
whose roles are named as in the examples. A limit is drawn from where a rule on it first changed its state: InfluxDB is told
of limits by `alarm` and `excursion` only.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard

SOURCE = common.DataSourceRef(type_val="influxdb", uid="${source}")
OF_UNIT = "\"unit\" = '$unit'"
OF_BATCH = OF_UNIT + ' AND "batch" =~ /^${batch:regex}$/'
PHASE_REACH = "1d"
"""A phase that began so long before the left edge still shows."""
GAP_MS = 30_000
"""Points further apart are not joined: a gap is a gap."""
IN_TIME = "$timeFilter"
NEWEST = "ORDER BY time DESC LIMIT 200"

Panel = timeseries.Panel | table.Panel | statetimeline.Panel


class InfluxQL(Dataquery):
    """A raw query of Grafana's InfluxDB data source, which the SDK has no model of."""

    def __init__(self, query: str, ref: str, result_format: str, **others: str | bool) -> None:
        self.query, self.ref, self.result_format, self.others = query, ref, result_format, others

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it."""
        return {
            "refId": self.ref,
            "datasource": SOURCE,
            "rawQuery": True,
            "query": self.query,
            "resultFormat": self.result_format,
            **self.others,
        }


class _Target(Builder[Dataquery]):
    def __init__(self, query: InfluxQL) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def _select(columns: str, measurement: str, *where: str, then: str = "") -> str:
    return f'SELECT {columns} FROM "{measurement}" WHERE {" AND ".join(where)} {then}'.rstrip()  # noqa: S608  Grafana fills it in


def _series(query: str, ref: str = "A", alias: str = "$col") -> _Target:
    return _Target(InfluxQL(query, ref, "time_series", alias=alias))


def _rows(query: str) -> _Target:
    return _Target(InfluxQL(query, "A", "table"))


def reactor() -> dashboard.Dashboard:
    """The whole dashboard; the same every time."""
    ids = count(1)
    result = (
        build.Dashboard("Reactor")
        .uid("reactorwatch-reactor")
        .description("One unit: its phases, values, limits and excursions. Advisory: it never replaces the safety layer.")
        .tags(["reactorwatch"])
        .refresh("5s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .annotation(_batch_events())
    )
    for variable in _variables():
        result.with_variable(variable)
    for title, panels in (("Batch", _batch()), ("Alarms", _alarms()), ("Gateway", _gateway())):
        result.with_row(build.Row(title).id(next(ids)))
        for panel in panels:
            result.with_panel(panel.datasource(SOURCE).id(next(ids)))
    return result.build()


def _variables() -> Iterator[Builder[dashboard.VariableModel]]:
    yield build.DatasourceVariable("source").label("Data source").type("influxdb")
    yield _tag_values("unit", "Unit", 'SHOW TAG VALUES FROM "process" WITH KEY = "unit"')
    batches = f'SHOW TAG VALUES FROM "process" WITH KEY = "batch" WHERE {OF_UNIT}'
    yield _tag_values("batch", "Batch", batches).include_all(True).all_value(".*")


def _tag_values(name: str, label: str, query: str) -> build.QueryVariable:
    refresh, newest_first = dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED, dashboard.VariableSort.NATURAL_DESC
    return build.QueryVariable(name).label(label).datasource(SOURCE).query(query).refresh(refresh).sort(newest_first)


def _batch_events() -> build.AnnotationQuery:
    columns: dict[str, str | bool] = {"fromAnnotations": True, "textColumn": "text", "tagsColumn": "what"}
    target = _Target(InfluxQL(_select('"text", "what"', "batch", OF_UNIT, IN_TIME), "A", "table", **columns))
    return build.AnnotationQuery().name("Batch and phase").datasource(SOURCE).enable(True).icon_color("blue").target(target)


def _batch() -> Iterator[Panel]:
    yield _phases().height(4).span(24)
    yield _trend("Temperatures", "temperature").unit("celsius").height(10).span(24)
    yield _trend("Pressures", "pressure").height(8).span(12)
    yield _trend("Stirrer and dosing", "stirrer|dos").height(8).span(12)
    yield _slopes().height(8).span(12)
    yield _quality().height(8).span(12)


def _phases() -> statetimeline.Panel:
    reach = f"time >= ${{__from}}ms - {PHASE_REACH} AND time <= ${{__to}}ms"
    query = _select('"running"', "batch", OF_UNIT, "\"what\" = 'phase'", reach)
    nothing = dashboard.ValueMap(options={"": dashboard.ValueMappingResult(text="–")})
    panel = statetimeline.Panel().title("Phase").with_target(_series(query, alias="phase"))
    return panel.mappings([nothing]).show_value(common.VisibilityMode.ALWAYS).merge_values(True)


def _trend(title: str, roles: str) -> timeseries.Panel:
    """Means of all roles that match, and the limits their rules told of."""
    values = _select(f"mean(/{roles}/)", "process", OF_BATCH, IN_TIME, then="GROUP BY time($__interval) fill(null)")
    stepped = 'GROUP BY time($__interval), "role", "rule" fill(previous)'
    limits = _select('last("level")', "alarm", OF_BATCH, f'"role" =~ /{roles}/', IN_TIME, then=stepped)
    dashed = [
        dashboard.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
        dashboard.DynamicConfigValue("custom.lineInterpolation", "stepAfter"),
    ]
    plain_names = dashboard.DataTransformerConfig("renameByRegex", options={"regex": "^mean_(.*)$", "renamePattern": "$1"})
    return (
        _lines(title)
        .with_target(_series(values))
        .with_target(_series(limits, "B", "$tag_role: $tag_rule"))
        .override_by_query("B", dashed)
        .with_transformation(plain_names)
    )


def _lines(title: str) -> timeseries.Panel:
    legend = parts.VizLegendOptions().display_mode(common.LegendDisplayMode.TABLE).placement(common.LegendPlacement.RIGHT)
    legend = legend.show_legend(True).calcs(["lastNotNull", "min", "max"])
    tooltip = parts.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    panel = timeseries.Panel().title(title).interval("1s").legend(legend).tooltip(tooltip)
    return panel.show_points(common.VisibilityMode.AUTO).span_nulls(GAP_MS)


def _slopes() -> timeseries.Panel:
    by_role = 'GROUP BY time($__interval), "role" fill(none)'
    query = _select('mean("slope")', "statistics", OF_BATCH, IN_TIME, then=by_role)
    return _lines("Rates of change, engineering units per minute").with_target(_series(query, alias="$tag_role"))


def _quality() -> table.Panel:
    last = 'last("quality") AS "quality", "status"'
    query = _select(last, "quality", OF_UNIT, "time <= ${__to}ms", then='GROUP BY "role"')
    return table.Panel().title("Quality, last told").with_target(_rows(query))


def _alarms() -> Iterator[Panel]:
    excursions = '"role", "batch", "phase", "state", "peak", "low", "high", "duration_s", "area", "cpp"'
    yield _events("Excursions outside PAR", excursions, "excursion").height(9).span(12)
    transitions = '"role", "rule", "statistic", "from", "to", "value", "level", "batch", "phase", "cpp"'
    yield _events("Transitions", transitions, "alarm").height(9).span(12)


def _events(title: str, columns: str, measurement: str) -> table.Panel:
    return table.Panel().title(title).with_target(_rows(_select(columns, measurement, OF_BATCH, IN_TIME, then=NEWEST)))


def _gateway() -> Iterator[Panel]:
    rate = 'non_negative_derivative(last("read"), 1s) AS "read", non_negative_derivative(last("committed"), 1s) AS "committed"'
    yield _health("Samples per second", rate).height(7).span(6)
    yield (
        _health("Waiting, lost, outside", "last(/^(pending|lost_scans|overflowed|devices_lost|rules_outside)$/)")
        .height(7)
        .span(6)
    )
    yield _health("Memory", 'last("resident_bytes") AS "resident"').unit("bytes").height(7).span(6)
    yield _health("Wall clock − plant time", 'last("clock_offset_s") AS "offset"').unit("s").height(7).span(6)
    columns = '"kind", "endpoint", "device", "group", "sink", "state", "cause", "slots"'
    events = _select(columns, "gateway", '"kind" =~ /^(device|gap|sink|daemon|clock)$/', IN_TIME, then=NEWEST)
    yield table.Panel().title("Devices, gaps, sinks, daemon, clock").with_target(_rows(events)).height(9).span(24)


def _health(title: str, figures: str) -> timeseries.Panel:
    regularly = "GROUP BY time($__interval) fill(none)"
    query = _select(figures, "gateway", "\"kind\" = 'gateway'", IN_TIME, then=regularly)
    plain_names = dashboard.DataTransformerConfig("renameByRegex", options={"regex": "^last_(.*)$", "renamePattern": "$1"})
    return _lines(title).with_target(_series(query)).with_transformation(plain_names)
