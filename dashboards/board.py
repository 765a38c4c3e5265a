"""What both dashboards share: variables, annotations, links and the layout of panels.

It must not know what the panels show.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.panels import DATASOURCE, Panel
from dashboards.queries import of_account, of_exporter, own

WIDTH = 24
"""Number of columns in Grafana's grid."""

TAG = "telnyx-sim-exporter"
RUNBOOKS = "https://github.com/telnyx-sim-exporter/telnyx-sim-exporter/blob/main/docs/runbooks"
"""As in the rules: the runbook of an alert is a file named after it."""

PAGE = "${page:raw}"
"""The exporter's page in links."""

# Where the runbooks expect it; the commands there make it available there.
_USUAL_PAGE = "http://127.0.0.1:10874"

# The format that Grafana writes: query type 1 lists the values of a label.
_VALUES_OF_A_LABEL = {"qryType": 1, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
_ALL = model.VariableOption(selected=True, text="All", value="$__all")


@dataclass(frozen=True, slots=True)
class Line:
    """Panels side by side, with a common height and a width each."""

    height: int
    panels: Sequence[tuple[int, Panel]]


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of panels under a title; the first section of a dashboard has none."""

    title: str
    lines: Sequence[Line]


def dashboard(uid: str, title: str, description: str, *, types: bool) -> build.Dashboard:
    """Create a dashboard without panels; ``types`` adds a variable for the action type."""
    board = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .time("now-6h", "now")
        .refresh("1m")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(_datasource())
        .with_variable(_variable("job", "Job", "telnyx_exporter_build_info"))
        .with_variable(_variable("instance", "Instance", 'telnyx_exporter_build_info{job=~"$job"}'))
        .with_variable(_variable("account", "Account", of_exporter("telnyx_exporter_polls_total")))
        .annotation(_RESTARTS)
        .annotation(_DEPLOYS)
        .link(_others())
        .link(_link("Exporter's page", f"{PAGE}/"))
        .link(_link("Log", f"{RUNBOOKS}/README.md#log"))
        .link(_link("Runbooks", f"{RUNBOOKS}/README.md"))
    )
    if types:
        board.with_variable(
            _variable("action_type", "Action type", of_account("telnyx_sim_card_actions"))
        )
    return board.with_variable(_page())


def place(board: build.Dashboard, sections: Sequence[Section]) -> build.Dashboard:
    """Put panels on a dashboard, line by line.

    A panel's id consists of the number of its section and its own number within the section, so
    that links to a panel survive changes in other sections.
    """
    y = 0
    for number, section in enumerate(sections, 1):
        if section.title:
            grid = model.GridPos(h=1, w=WIDTH, x=0, y=y)
            board.with_row(build.Row(section.title).id(number * 100).grid_pos(grid))
            y += 1
        ident = number * 100
        for line in section.lines:
            x = 0
            for width, panel in line.panels:
                ident += 1
                panel.id(ident).grid_pos(model.GridPos(h=line.height, w=width, x=x, y=y))
                # The panel classes of the library have no common base class.
                board.with_panel(cast("Any", panel))
                x += width
            y += line.height
    return board


def as_json(board: build.Dashboard) -> str:
    """Return the JSON that Grafana imports."""
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _others() -> build.DashboardLink:
    link = build.DashboardLink("Telnyx SIM exporter").type(model.DashboardLinkType.DASHBOARDS)
    return link.tags([TAG]).include_vars(include_vars=True).keep_time(keep_time=True)


def _link(title: str, url: str) -> build.DashboardLink:
    link = build.DashboardLink(title).type(model.DashboardLinkType.LINK)
    return link.url(url).target_blank(target_blank=True)


def _page() -> build.TextBoxVariable:
    usual = model.VariableOption(selected=True, text=_USUAL_PAGE, value=_USUAL_PAGE)
    return (
        build.TextBoxVariable("page")
        .label("Exporter's page")
        .default_value(_USUAL_PAGE)
        .current(usual)
        .options([usual])
    )


def _datasource() -> build.DatasourceVariable:
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _variable(label: str, title: str, series: str) -> build.QueryVariable:
    """Create a variable with the values of a label; all of them are selected by default."""
    return (
        build.QueryVariable(label)
        .label(title)
        .datasource(DATASOURCE)
        .query({"query": f"label_values({series}, {label})", **_VALUES_OF_A_LABEL})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".+")
        .current(_ALL)
    )


class _Annotation(model.AnnotationQuery):
    """An annotation with a text, which the library does not support."""

    text = ""

    def to_json(self) -> dict[str, object]:
        """Return the JSON object; 60 s is the minimum step that Grafana supports here."""
        words = {"titleFormat": self.name, "textFormat": self.text, "step": "60s"}
        return {**super().to_json(), **words}


@dataclass(frozen=True, slots=True)
class _Marks(Builder[model.AnnotationQuery]):
    """Annotations at the times at which a query returns a result."""

    name: str
    expr: str
    text: str
    colour: str

    def build(self) -> model.AnnotationQuery:
        """Build the annotation."""
        made = _Annotation(
            name=self.name, datasource=DATASOURCE, expr=self.expr, icon_color=self.colour
        )
        made.text = self.text
        return made


# Not changes(), which misses a restart under another instance label.
_RESTARTS = _Marks(
    name="Restarts",
    expr=f"time() - {own(of_exporter('process_start_time_seconds'))} < 120",
    text="{{instance}} started",
    colour="blue",
)

_BUILD = of_exporter("telnyx_exporter_build_info")
_DEPLOYS = _Marks(
    name="Deploys",
    expr=(
        f"count by (job, version, revision) ({_BUILD}) unless on (job, version, revision) "
        f"count by (job, version, revision) (last_over_time({_BUILD}[10m] offset 2m))"
    ),
    text="version {{version}}, revision {{revision}}",
    colour="purple",
)
