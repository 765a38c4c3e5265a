"""The types of panels used by the dashboards.

It must not know metrics, or the position of a panel on a dashboard (that is `board`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TypeVar

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

GOOD, WARN, BAD, PLAIN = "green", "orange", "red", "text"

WARNING = 2
"""The value of a state that needs attention, but not at once; 1 is worse."""

Panel = (
    stat.Panel | timeseries.Panel | heatmap.Panel | statetimeline.Panel | table.Panel | text.Panel
)

_Panel = TypeVar(
    "_Panel", stat.Panel, timeseries.Panel, heatmap.Panel, statetimeline.Panel, table.Panel
)


@dataclass(frozen=True, slots=True)
class Head:
    """What every panel has: a title, a description and the unit of its values."""

    title: str
    description: str
    unit: str


@dataclass(frozen=True, slots=True)
class Query:
    """A query and the legend of its series; ``exemplars`` shows exemplars too."""

    expr: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A column of a table with a label: its title, a link from each cell, colours by value."""

    title: str
    link: str = ""
    colours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its query, its unit, and the threshold above which it is coloured.

    If there is a ``word``, it stands for the value 1.
    """

    name: str
    expr: str
    unit: str = "short"
    alarm: float | None = None
    colour: str = WARN
    word: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """The colours of a value: ``first``, and others above thresholds."""

    first: str = PLAIN
    steps: Sequence[tuple[float, str]] = field(default=())

    def thresholds(self) -> ThresholdsConfig:
        """Return Grafana's thresholds, of which the lowest has no value."""
        steps = [model.Threshold(None, self.first)]
        steps += [model.Threshold(value, colour) for value, colour in self.steps]
        return ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def figure(
    head: Head, expr: str, scale: Scale, *, nothing: str, decimals: int = 0, link: str = ""
) -> stat.Panel:
    """Create a panel with one value; it shows ``nothing`` if there is no data.

    A ``link`` leads to the exporter's page. Without thresholds, it has no colour.
    """
    panel = _start(stat.Panel(), head, [_now(Query(expr))])
    if link:
        to = DashboardLink("Exporter's page").type(model.DashboardLinkType.LINK).url(link)
        panel.links([to.target_blank(target_blank=True)])
    coloured = common.BigValueColorMode
    return (
        panel.decimals(decimals)
        .no_value(nothing)
        .thresholds(scale.thresholds())
        .color_mode(coloured.BACKGROUND if scale.steps else coloured.NONE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(build_common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def word(head: Head, query: Query, words: dict[str, tuple[str, str]] | None = None) -> stat.Panel:
    """Create a panel with a text: the legend of the series, or the text mapped to its value."""
    named = common.BigValueTextMode.VALUE if words else common.BigValueTextMode.NAME
    panel = _start(stat.Panel(), head, [_now(query)])
    return (
        panel.text_mode(named)
        .no_value("no data")
        .mappings(_mappings(words or {}))
        .thresholds(Scale().thresholds())
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(build_common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def lines(
    head: Head, *queries: Query, decimals: int | None = None, signed: bool = False
) -> timeseries.Panel:
    """Create a line chart, with the latest and the maximum value in the legend.

    The axis starts at 0 unless values are ``signed``.
    """
    panel = _start(timeseries.Panel(), head, [_over_time(query) for query in queries])
    if decimals is not None:
        panel.decimals(decimals)
    if not signed:
        panel.min(0)
    legend = build_common.VizLegendOptions().show_legend(show_legend=True).calcs(["last", "max"])
    tooltip = build_common.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    return (
        panel.line_width(1)
        .fill_opacity(8)
        .show_points(common.VisibilityMode.AUTO)
        .legend(
            legend.display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .sort_by("Max")
            .sort_desc(sort_desc=True)
        )
        .tooltip(tooltip.sort(common.SortOrder.DESCENDING))
    )


def bars(head: Head, *queries: Query) -> timeseries.Panel:
    """Create a chart with stacked bars."""
    panel = lines(head, *queries)
    stack = build_common.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
    return panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(80).stacking(stack)


def days(head: Head, *queries: Query) -> timeseries.Panel:
    """Create a chart with a bar for each of the last 30 days, whatever time range is selected."""
    return bars(head, *queries).interval("1d").time_from("30d")


def spread(head: Head, expr: str) -> heatmap.Panel:
    """Create a heatmap of a histogram, from its buckets by le or from a native histogram."""
    panel = _start(heatmap.Panel(), head, [])
    query = _over_time(Query(expr, "{{le}}")).format(PromQueryFormat.HEATMAP)
    colour = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges")
    return (
        panel.with_target(query.ref_id("A"))
        .calculate(calculate=False)
        .color(colour.steps(64).exponent(0.5))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .y_axis(heatmap.YAxisConfig().unit(head.unit))
        .cell_values(heatmap.CellValues().unit("short"))
        .show_y_histogram()
        .hide_legend()
    )


def states(head: Head, *queries: Query, bad: str) -> statetimeline.Panel:
    """Create a state timeline: green where a series is 0, ``bad`` where it is not.

    It is red where a series is 1, orange where it is `WARNING`.
    """
    panel = _start(statetimeline.Panel(), head, [_over_time(query) for query in queries])
    words = {"0": ("", GOOD), "1": (bad, BAD), str(WARNING): (bad, WARN)}
    legend = build_common.VizLegendOptions().show_legend(show_legend=False)
    return (
        panel.mappings(_mappings(words))
        .thresholds(Scale(GOOD, [(1, BAD), (WARNING, WARN)]).thresholds())
        .show_value(common.VisibilityMode.NEVER)
        .merge_values(merge_values=True)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(80)
        .legend(legend.display_mode(common.LegendDisplayMode.LIST).calcs([]))
    )


def rows(
    head: Head,
    keys: Mapping[str, Key],
    columns: Sequence[Column],
    *,
    sort: str,
    descending: bool = True,
    nothing: str = "-",
) -> table.Panel:
    """Create a table with a row for each combination of the labels ``keys``."""
    queries = [_now(Query(each.expr)).format(PromQueryFormat.TABLE) for each in columns]
    panel = _start(table.Panel(), head, queries)
    values = {
        f"Value #{ref}": each.name for ref, each in zip(ascii_uppercase, columns, strict=False)
    }
    # With a single query, the field has no letter.
    titles = {label: each.title for label, each in keys.items()}
    names = {**titles, "Value": columns[0].name, **values}
    panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    order = {name: index for index, name in enumerate(names)}
    panel.with_transformation(
        model.DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {"Time": True},
                "indexByName": order,
                "renameByName": names,
            },
        )
    )
    for key in keys.values():
        if look := _look_of_key(key):
            panel.override_by_name(key.title, look)
    for each in columns:
        panel.override_by_name(each.name, _look(each))
    by = build_common.TableSortByFieldState().display_name(sort).desc(desc=descending)
    return panel.no_value(nothing).sort_by([by]).cell_height(common.TableCellHeight.SM)


def note(title: str, description: str, markdown: str) -> text.Panel:
    """Create a panel with a text."""
    return (
        text.Panel().title(title).description(description).mode(TextMode.MARKDOWN).content(markdown)
    )


def _look_of_key(key: Key) -> list[model.DynamicConfigValue]:
    look = []
    if key.link:
        link = {"title": "Open", "url": key.link, "targetBlank": True}
        look.append(model.DynamicConfigValue("links", [link]))
    if key.colours:
        words = {value: (value, colour) for value, colour in key.colours.items()}
        look.append(model.DynamicConfigValue("mappings", _mappings(words)))
        look.append(model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    return look


def _look(column: Column) -> list[model.DynamicConfigValue]:
    look = [model.DynamicConfigValue("unit", column.unit)]
    if column.unit == "short":
        look.append(model.DynamicConfigValue("decimals", 0))
    if column.alarm is not None:
        scale = Scale(PLAIN, [(column.alarm, column.colour)]).thresholds().build()
        look.append(model.DynamicConfigValue("thresholds", scale))
        look.append(model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    if column.word:
        words = _mappings({"1": (column.word, column.colour)})
        look.append(model.DynamicConfigValue("mappings", words))
        look.append(model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    return look


def _mappings(words: dict[str, tuple[str, str]]) -> list[model.ValueMapping]:
    options = {
        value: model.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(words.items())
    }
    return [model.ValueMap(options)] if options else []


def _start(panel: _Panel, head: Head, queries: Sequence[Dataquery]) -> _Panel:
    """Set what every panel has; its queries are named A, B, C and so on."""
    panel.title(head.title).description(head.description).unit(head.unit).datasource(DATASOURCE)
    for ref, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(query.ref_id(ref))
    return panel


def _over_time(query: Query) -> Dataquery:
    made = Dataquery().expr(query.expr).datasource(DATASOURCE).legend_format(query.legend)
    return (made.exemplar(exemplar=True) if query.exemplars else made).range()


def _now(query: Query) -> Dataquery:
    made = Dataquery().expr(query.expr).datasource(DATASOURCE).legend_format(query.legend)
    return made.instant()
