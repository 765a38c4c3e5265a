"""Hold the shipped dashboards to what Grafana's dashboard linter asks, and to what is exported."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations
from string import ascii_uppercase
from typing import Any

import promql_parser as promql
import pytest

from dashboards.queries import OF_ACCOUNTS, ONE_INSTANCE, REPLICA
from dashboards.shipped import FOLDER, shipped
from exporter.metrics.catalogue import CATALOGUE
from exporter.metrics.definition import MetricType
from exporter.sinks.log_events import LOG_EVENTS
from tests.monitoring import scraping
from tests.monitoring.dashboards.conftest import (
    FILES,
    Json,
    filled,
    links,
    panels,
    read,
    selector,
    variables,
)

RUNBOOKS = FOLDER.parents[3] / "docs" / "runbooks"
WIDTH = 24
SIZE = timedelta(minutes=13)
RANGES = {"__rate_interval": "13m", "__range": "17h", "__interval": "19s"}
"""Lengths that occur nowhere else, so that they tell which variable stood there."""

WHOLE_TIME = (timedelta(hours=17), timedelta(seconds=19))

OF_OTHERS = {
    "up": MetricType.GAUGE,
    "process_cpu_seconds_total": MetricType.COUNTER,
    "process_open_fds": MetricType.GAUGE,
    "process_resident_memory_bytes": MetricType.GAUGE,
    "process_start_time_seconds": MetricType.GAUGE,
}
"""What Prometheus and its client library add."""

OF_TARGETS = {"job", "instance", "pod", "container", "endpoint", "node"}
"""Labels that come with the scrape."""

RECENT = timedelta(hours=6)
REMEMBERED = (timedelta(days=14), timedelta(hours=1))
"""For how long exporters and accounts are known after they are gone, whatever time is shown."""

RULES_LOADED = "job:telnyx_sim_stale_seconds:threshold"
ALERT_LABELS = {"alertname", "severity", "account", "action_type"}
OF_RULES = {
    "ALERTS": ALERT_LABELS | {"alertstate"},
    "ALERTS_FOR_STATE": ALERT_LABELS,
    RULES_LOADED: set[str](),
}
"""What Prometheus records of rules."""

SERIES: dict[str, tuple[MetricType, set[str]]] = {
    each.name: (each.metric_type, {*each.labels})
    for each in CATALOGUE
    if each.metric_type != MetricType.HISTOGRAM
}
SERIES |= {
    f"{each.name}_{end}": (MetricType.COUNTER, {*each.labels, *(["le"] if end == "bucket" else [])})
    for each in CATALOGUE
    if each.metric_type == MetricType.HISTOGRAM
    for end in ("bucket", "count", "sum")
}
NATIVE = {each.name for each in CATALOGUE if each.metric_type == MetricType.HISTOGRAM}
"""Histograms as Prometheus stores them with convert_classic_histograms_to_nhcb."""

SERIES |= {
    each.name: (MetricType.COUNTER, {*each.labels}) for each in CATALOGUE if each.name in NATIVE
}
SERIES |= {name: (kind, set()) for name, kind in OF_OTHERS.items()}
SERIES |= {name: (MetricType.GAUGE, labels) for name, labels in OF_RULES.items()}
"""Each series that there can be: its kind, and its labels besides those of the target."""

LINKS = ["Telnyx SIM exporter", "Exporter's page", "Log", "Runbooks"]

ADVANCING = {"rate", "increase"}

CONDITION = "condition"
"""Stands among the outer parts of what only says which series are shown."""


def queries(board: Json) -> Iterator[tuple[str, str]]:
    """Give every query of a dashboard, with its place."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield f"{panel['title']}, {target['refId']}", target["expr"]
    for each in board["annotations"]["list"]:
        yield f"annotation {each['name']}", each["expr"]
    for each in variables(board):
        yield f"variable {each['name']}", selector(each)


def trees(board: Json) -> Iterator[tuple[str, Any]]:
    """Give every query of a dashboard, parsed, with its place."""
    for place, query in queries(board):
        yield place, promql.parse(filled(query, RANGES))


def nodes(tree: Any, within: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Give every part of a parsed query, with the parts that it is in, the outermost first."""
    yield tree, within
    inner = [getattr(tree, name, None) for name in ("expr", "lhs", "vector_selector")]
    for each in (*inner, *getattr(tree, "args", ())):
        if isinstance(each, promql.Expr):
            yield from nodes(each, (*within, tree))
    if isinstance(tree, promql.BinaryExpr):
        role = (CONDITION,) if str(tree.op) in {"and", "unless"} else ()
        yield from nodes(tree.rhs, (*within, tree, *role))


def selectors(board: Json) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Give every selector of series, with its place and the parts that it is in."""
    for place, tree in trees(board):
        for node, within in nodes(tree):
            if isinstance(node, promql.VectorSelector):
                yield place, node, within


def matched(node: Any) -> dict[str, str]:
    """Give what a selector asks of labels, by label."""
    return {each.name: str(each).removeprefix(each.name) for each in node.matchers.matchers}


def board_breaks(board: Json) -> Iterator[str]:
    """List what the dashboard as a whole lacks, or must not have."""
    if board.get("editable") is not False:
        yield "can be edited, and changes would be lost"
    yield from (f"has {key}" for key in ("__inputs", "__requires", "id") if key in board)
    yield from (f"has no {key}" for key in ("title", "description") if not board.get(key))
    if board.get("tags") != ["telnyx-sim-exporter"]:
        yield "lacks the tag by which the dashboards link to each other"
    if [each["title"] for each in board["links"]] != LINKS:
        yield f"does not link to {LINKS}"
    if [each["name"] for each in board["annotations"]["list"]] != ["Restarts", "Deploys"]:
        yield "does not mark restarts and deploys"


def variable_breaks(board: Json) -> Iterator[str]:
    """List what is wrong with the variables."""
    if [each["name"] for each in variables(board, "datasource")] != ["datasource"]:
        yield "needs one variable of data sources, called datasource"
    choices = {each["name"]: each for each in variables(board)}
    yield from (f"lacks the variable {name}" for name in ("job", "instance") if name not in choices)
    for name, each in choices.items():
        if not each["multi"] or not each["includeAll"] or each["allValue"] != ".+":
            yield f"{name}: is not several at a time, all as .+"
        if each["current"]["value"] != "$__all":
            yield f"{name}: is not all at first"
        if not each["label"] or each["label"] == name:
            yield f"{name}: has no label for people"


def datasource_breaks(board: Json) -> Iterator[str]:
    """List what does not ask the data source that is chosen."""
    asking = [*variables(board), *board["annotations"]["list"], *panels(board)]
    asking += [target for panel in panels(board) for target in panel["targets"]]
    for each in asking:
        if each.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
            yield f"{each.get('title') or each.get('name') or each}: asks another data source"


def panel_breaks(board: Json) -> Iterator[str]:
    """List what panels lack."""
    titles = [each.get("title", "") for each in panels(board)]
    yield from (f"{each!r}: not one title each" for each in set(titles) if titles.count(each) > 1)
    for panel in panels(board):
        title, defaults = panel.get("title", ""), panel["fieldConfig"]["defaults"]
        if not title.strip():
            yield f"{panel['id']}: has no title"
        if not re.fullmatch(r"[A-Z].*\.", panel.get("description", "") or ""):
            yield f"{title}: has no description in sentences"
        if not defaults.get("unit"):
            yield f"{title}: has no unit"
        if panel["type"] == "heatmap" and panel["options"]["yAxis"]["unit"] != defaults["unit"]:
            yield f"{title}: has no unit at its axis"


def grid_breaks(board: Json) -> Iterator[str]:
    """List panels that are without a place of their own, and ids that are not unique."""
    ids = [each["id"] for each in board["panels"]]
    yield from (f"{each}: is no number" for each in ids if not isinstance(each, int))
    yield from (f"{each}: is the id of several" for each in set(ids) if ids.count(each) > 1)
    for each in board["panels"]:
        grid = each["gridPos"]
        if grid["x"] < 0 or grid["x"] + grid["w"] > WIDTH or min(grid["w"], grid["h"]) < 1:
            yield f"{each['id']}: is not within the grid"
    for one, other in combinations(board["panels"], 2):
        if all(
            one["gridPos"][at] < other["gridPos"][at] + other["gridPos"][size]
            and other["gridPos"][at] < one["gridPos"][at] + one["gridPos"][size]
            for at, size in (("x", "w"), ("y", "h"))
        ):
            yield f"{one['id']}: overlaps {other['id']}"


def target_breaks(board: Json) -> Iterator[str]:
    """List queries that have no letter, or that are not asked as their panel needs."""
    for panel in panels(board):
        title, targets = panel["title"], panel["targets"]
        if [each["refId"] for each in targets] != list(ascii_uppercase[: len(targets)]):
            yield f"{title}: its queries are not A, B, C"
        if not targets:
            yield f"{title}: asks nothing"
        now = panel["type"] in {"stat", "table"}
        for each in targets:
            if (each["instant"], each["range"]) != (now, not now):
                yield f"{title}, {each['refId']}: does not ask for {'now' if now else 'a range'}"
            if not now and not each["legendFormat"]:
                yield f"{title}, {each['refId']}: its series have no names"


def matcher_breaks(board: Json) -> Iterator[str]:
    """List selectors that leave the chosen exporters out of account."""
    for place, node, _ in selectors(board):
        # A variable can only go by those before it.
        wanted = {"variable job": (), "variable instance": ("job",)}.get(place, ("job", "instance"))
        yield from unlimited(place, node, set(wanted))


def unlimited(place: str, node: Any, wanted: set[str]) -> Iterator[str]:
    """List the labels by which a selector is not limited to what is chosen.

    Alerts do not have all of them; the series of an account have the instance of no replica.
    """
    if node.name == RULES_LOADED:
        return
    for label in sorted(wanted):
        other = ""
        if node.name in OF_RULES and label != "job":
            other = "|"
        elif label == "instance" and re.fullmatch(OF_ACCOUNTS, node.name):
            other = f"|{ONE_INSTANCE}"
        if matched(node).get(label) != f'=~".+{other}"':
            yield f"{place}: {node.name} is not limited by {label}"


def choice_breaks(board: Json) -> Iterator[str]:
    """List selectors that leave the chosen accounts or action types out of account."""
    names = [each["name"] for each in variables(board)]
    for place, node, _ in selectors(board):
        wanted = SERIES.get(node.name, (None, set[str]()))[1] & {"account", "action_type"}
        if place.startswith("variable "):
            wanted &= set(names[: names.index(place.split()[1])])
        elif place.startswith("annotation "):
            wanted = set()
        yield from unlimited(place, node, wanted & set(names))


def name_breaks(board: Json) -> Iterator[str]:
    """List metrics and labels that nobody exports."""
    for place, node, within in selectors(board):
        if node.name not in SERIES:
            yield f"{place}: there is no {node.name}"
            continue
        known = SERIES[node.name][1] | OF_TARGETS
        outside = len(within) - within[::-1].index(CONDITION) if CONDITION in within else 0
        grouped = {
            label
            for each in within[outside:]
            if isinstance(each, promql.AggregateExpr) and each.modifier is not None
            for label in each.modifier.labels
        }
        yield from (
            f"{place}: {node.name} has no label {label}"
            for label in sorted((set(matched(node)) | grouped) - known)
        )


def growth_breaks(board: Json) -> Iterator[str]:
    """List counters that are shown as they are, and gauges whose growth is."""
    for place, node, within in selectors(board):
        calls = {each.func.name for each in within if isinstance(each, promql.Call)}
        kind = SERIES.get(node.name, (None,))[0]
        if not place.startswith("variable ") and (kind == MetricType.COUNTER) != bool(
            calls & ADVANCING
        ):
            yield f"{place}: {node.name} is a {kind}, in {sorted(calls)}"


def histogram_breaks(board: Json) -> Iterator[str]:
    """List classic histograms without the native one behind an "or", with the same matchers."""
    for place, node, within in selectors(board):
        native = re.sub(r"_(bucket|count|sum)$", "", node.name)
        if native not in NATIVE - {node.name}:
            continue
        others = (
            part
            for each in within
            if isinstance(each, promql.BinaryExpr) and str(each.op) == "or"
            for part, _ in nodes(each.rhs)
            if isinstance(part, promql.VectorSelector)
        )
        if not any(each.name == native and matched(each) == matched(node) for each in others):
            yield f"{place}: {node.name} has no native histogram beside it"


def range_breaks(board: Json) -> Iterator[str]:
    """List ranges of fixed length: over time Grafana knows which, and a figure is of all time.

    Those by which exporters and accounts are known are fixed.
    """
    for panel in panels(board):
        for target in panel["targets"]:
            place = f"{panel['title']}, {target['refId']}"
            for node, within in nodes(promql.parse(filled(target["expr"], RANGES))):
                call = within[-1].func.name if within and hasattr(within[-1], "func") else ""
                remembers = call in {"last_over_time", "max_over_time"}
                if isinstance(node, promql.MatrixSelector):
                    over_time = not target["instant"] and node.range == SIZE
                    good = node.range == RECENT if remembers else over_time
                elif isinstance(node, promql.SubqueryExpr):
                    wanted = WHOLE_TIME if target["instant"] else (SIZE, None)
                    good = (node.range, node.step) == (REMEMBERED if remembers else wanted)
                else:
                    continue
                if not good:
                    yield f"{place}: {node.range} is the wrong range there"


def owner_breaks(board: Json) -> Iterator[str]:
    """List series that every target has, where they are not told from those of others."""
    for place, node, within in selectors(board):
        if node.name in OF_OTHERS and CONDITION not in within:
            conditions = (
                part.name
                for each in within
                if isinstance(each, promql.BinaryExpr) and str(each.op) == "and"
                for part, around in nodes(each.rhs)
                if isinstance(part, promql.VectorSelector)
                and any(isinstance(outer, promql.SubqueryExpr) for outer in around)
            )
            if "telnyx_exporter_build_info" not in conditions:
                yield f"{place}: {node.name} is of any target"


Check = Callable[[Json], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    board_breaks,
    variable_breaks,
    datasource_breaks,
    panel_breaks,
    grid_breaks,
    target_breaks,
    matcher_breaks,
    choice_breaks,
    name_breaks,
    growth_breaks,
    histogram_breaks,
    range_breaks,
    owner_breaks,
)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_rule_is_kept(check: Check, name: str) -> None:
    """Both dashboards keep the rule."""
    assert list(check(read(name))) == []


def test_the_files_are_what_the_code_builds() -> None:
    """Nobody has changed the one without the other; `python -m dashboards` writes the files."""
    files = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert shipped() == files, "run `make dashboards`"


def test_links_to_the_dashboards_last() -> None:
    """Each has the uid that other pages link to."""
    assert {name: read(name)["uid"] for name in shipped()} == FILES


def test_panels_are_linked_to_by_their_section() -> None:
    """A panel's id is of its section, so that a new panel elsewhere does not change it."""
    for name in FILES:
        section = 1
        for panel in read(name)["panels"]:
            section += panel["type"] == "row"
            assert panel["id"] // 100 == section, panel["title"]


def test_replicas_are_told_as_by_the_rules() -> None:
    """A figure on a dashboard is the one that an alert is about."""
    rules = (FOLDER.parent / "rules" / "telnyx-sim-exporter.rules.yaml").read_text("utf-8")
    assert f"max without ({REPLICA}) (" in rules


def test_the_series_of_accounts_are_told_as_by_the_scrape_configuration() -> None:
    """They are found whatever replica is chosen."""
    assert (OF_ACCOUNTS, ONE_INSTANCE) == (scraping.OF_ACCOUNTS, scraping.ONE_INSTANCE)
    of_accounts = {each.name for each in CATALOGUE if re.fullmatch(OF_ACCOUNTS, each.name)}
    assert "telnyx_up" in of_accounts
    assert not any(name.startswith("telnyx_exporter_") for name in of_accounts)
    assert all("account" in SERIES[each.name][1] for each in CATALOGUE if each.name in of_accounts)


def test_loaded_rules_are_told_by_one_of_them() -> None:
    """The figure of alerts is 0 then, and nothing without the rules."""
    rules = (FOLDER.parent / "rules" / "telnyx-sim-exporter.rules.yaml").read_text("utf-8")
    assert f"- record: {RULES_LOADED}\n" in rules


@pytest.mark.parametrize("name", FILES)
def test_links_lead_somewhere(name: str) -> None:
    """Each leads to the exporter's page, to a runbook or to a section of the runbooks."""
    rules = (FOLDER.parent / "rules" / "telnyx-sim-exporter.rules.yaml").read_text("utf-8")
    readme = (RUNBOOKS / "README.md").read_text("utf-8")
    for link in links(read(name)):
        if link.startswith("${page:raw}/"):
            continue  # test_live opens it
        if "${" in link:
            assert link.replace("${__value.raw:percentencode}", "TelnyxSimDataStale") in rules
        else:
            address, _, anchor = link.partition("#")
            assert f"{address.removesuffix('README.md')}TelnyxSimDataStale.md" in rules, link
            assert not anchor or f"(#{anchor})" in readme, link


def test_the_page_is_where_the_runbooks_expect_it() -> None:
    """Links to it work with the commands there, and lead elsewhere if somebody says where."""
    for name in FILES:
        (page,) = variables(read(name), "textbox")
        assert page["name"] == "page"
        assert page["query"] == page["current"]["value"] == "http://127.0.0.1:10874"
        assert f"The page is `{page['query']}/`" in (RUNBOOKS / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", FILES)
def test_events_are_counted_without_colour(name: str) -> None:
    """One failure in six hours is no alarm; alerts and the ratio tell what is."""
    counted = [
        (panel, target)
        for panel in panels(read(name))
        for target in panel["targets"]
        if panel["type"] in {"stat", "table"}
        and "increase(" in target["expr"]
        and not isinstance(promql.parse(filled(target["expr"], RANGES)), promql.BinaryExpr)
    ]
    assert bool(counted) == (name == "sim-card-actions.json")
    for panel, target in counted:
        coloured = panel["fieldConfig"]["defaults"]
        if panel["type"] == "table":
            names = panel["transformations"][1]["options"]["renameByName"]
            title = names[f"Value #{target['refId']}"]
            (override,) = (
                each
                for each in panel["fieldConfig"]["overrides"]
                if each["matcher"]["options"] == title
            )
            coloured = {each["id"]: each["value"] for each in override["properties"]}
        steps = coloured.get("thresholds", {}).get("steps", [])
        assert {each["color"] for each in steps} <= {"text"}, panel["title"]


def test_the_log_events_in_the_text_exist() -> None:
    """What somebody is told to search for is written by the exporter."""
    (text,) = (each for each in read("sim-card-actions.json")["panels"] if each["type"] == "text")
    words = set(re.findall(r"`(\w+)`", text["options"]["content"]))
    assert words
    assert words <= {each.name for each in LOG_EVENTS}


def test_every_metric_is_shown_somewhere() -> None:
    """Each metric of the catalogue is in a query of a panel."""
    asked = {node.name for name in FILES for _, node, _ in selectors(read(name))}
    shown = {re.sub(r"_(bucket|count|sum)$", "", each) for each in asked} | asked
    missing = [each.name for each in CATALOGUE if each.name not in shown]
    assert not missing, "add a panel in dashboards/ and run `make dashboards`"


def _panel(board: Json, kind: str = "timeseries") -> Any:
    return next(each for each in panels(board) if each["type"] == kind)


def _target(board: Json, kind: str = "timeseries") -> Any:
    return _panel(board, kind)["targets"][0]


def _asks(query: str, kind: str = "timeseries") -> Callable[[Json], None]:
    def change(board: Json) -> None:
        _target(board, kind)["expr"] = query

    return change


BOTH = 'job=~"$job", instance=~"$instance"'
ALL_FOUR = f'{BOTH}, account=~"$account", action_type=~"$action_type"'


@pytest.mark.parametrize(
    ("check", "change", "found"),
    [
        (board_breaks, lambda b: b.update(editable=True), "can be edited"),
        (board_breaks, lambda b: b.update(__inputs=[]), "has __inputs"),
        (board_breaks, lambda b: b.update(tags=[]), "lacks the tag"),
        (board_breaks, lambda b: b["annotations"]["list"].pop(), "does not mark"),
        (variable_breaks, lambda b: b["templating"]["list"].pop(0), "needs one variable"),
        (variable_breaks, lambda b: b["templating"]["list"].pop(1), "lacks the variable job"),
        (variable_breaks, lambda b: variables(b)[1].update(multi=False), "instance: is not sev"),
        (variable_breaks, lambda b: variables(b)[1].update(allValue=".*"), "instance: is not sev"),
        (datasource_breaks, lambda b: _target(b).pop("datasource"), "asks another"),
        (datasource_breaks, lambda b: _panel(b).pop("datasource"), "asks another"),
        (panel_breaks, lambda b: _panel(b).update(title=" "), "has no title"),
        (panel_breaks, lambda b: _panel(b).update(title="In flight"), "not one title each"),
        (panel_breaks, lambda b: _panel(b).update(description=""), "has no description"),
        (panel_breaks, lambda b: _panel(b)["fieldConfig"]["defaults"].pop("unit"), "has no unit"),
        (panel_breaks, lambda b: _panel(b, "heatmap")["options"]["yAxis"].update(unit=""), "axis"),
        (grid_breaks, lambda b: _panel(b).update(id=101), "101: is the id of several"),
        (grid_breaks, lambda b: _panel(b)["gridPos"].update(x=11), "overlaps"),
        (grid_breaks, lambda b: _panel(b)["gridPos"].update(x=17), "not within"),
        (target_breaks, lambda b: _target(b).update(refId="B"), "not A, B, C"),
        (target_breaks, lambda b: _panel(b).update(targets=[]), "asks nothing"),
        (target_breaks, lambda b: _target(b).update(instant=True), "does not ask for a range"),
        (target_breaks, lambda b: _target(b).update(legendFormat=""), "have no names"),
        (matcher_breaks, _asks('up{job=~"$job"}'), "up is not limited by instance"),
        (matcher_breaks, _asks(f"up{{{BOTH}}} > bool up"), "up is not limited by job"),
        (matcher_breaks, _asks(f"telnyx_up{{{BOTH}}}"), "telnyx_up is not limited by instance"),
        (choice_breaks, _asks(f"telnyx_up{{{BOTH}}}"), "telnyx_up is not limited by account"),
        (name_breaks, _asks(f"telnyx_down{{{BOTH}}}"), "there is no telnyx_down"),
        (name_breaks, _asks(f'telnyx_up{{{BOTH}, cause="x"}}'), "telnyx_up has no label cause"),
        (name_breaks, _asks(f"sum by (cause) (telnyx_up{{{BOTH}}})"), "has no label cause"),
        (growth_breaks, _asks(f"telnyx_exporter_polls_total{{{BOTH}}}"), "is a counter, in []"),
        (growth_breaks, _asks(f"rate(telnyx_up{{{BOTH}}}[$__rate_interval])"), "is a gauge"),
        (
            histogram_breaks,
            _asks("rate(telnyx_exporter_poll_duration_seconds_count[13m])"),
            "has no native histogram",
        ),
        (
            histogram_breaks,
            _asks(
                "rate(telnyx_exporter_poll_duration_seconds_count[13m])"
                " or rate(telnyx_exporter_poll_duration_seconds{account='a'}[13m])"
            ),
            "has no native histogram",
        ),
        (range_breaks, _asks("rate(telnyx_exporter_polls_total[5m])"), "0:05:00 is the wrong"),
        (range_breaks, _asks("rate(telnyx_exporter_polls_total[$__range])"), "17:00:00 is the"),
        (range_breaks, _asks("increase(up[$__rate_interval])", "stat"), "0:13:00 is the wrong"),
        (range_breaks, _asks("increase(up[$__range:1m])", "stat"), "17:00:00 is the wrong"),
        (range_breaks, _asks("increase(up[$__rate_interval:1m])"), "0:13:00 is the wrong"),
        (range_breaks, _asks("last_over_time(telnyx_up[2h])"), "2:00:00 is the wrong"),
        (range_breaks, _asks("last_over_time(telnyx_up[14d:1m])"), "14 days, 0:00:00 is the"),
        (owner_breaks, _asks(f"up{{{BOTH}}}"), "up is of any target"),
        (owner_breaks, _asks(f"up{{{BOTH}}} and on (job, instance) telnyx_up"), "of any target"),
        (
            owner_breaks,
            _asks(f"up{{{BOTH}}} and on (job, instance) telnyx_exporter_build_info"),
            "of any target",
        ),
    ],
)
def test_check_finds(check: Check, change: Callable[[Json], object], found: str) -> None:
    """A break of a rule is found, and told with its place."""
    board = copy.deepcopy(read("sim-card-actions.json"))
    assert list(check(board)) == []
    change(board)
    assert any(found in each for each in check(board)), list(check(board))


def test_the_files_are_tidy() -> None:
    """A change of one panel is a small change of the file."""
    for name in FILES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
