import gzip
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from uuid import uuid4

import pytest
from msgspec import structs

from exporter.domain import BulkAction, BulkCounts
from exporter.errors import Cause
from exporter.ledger.queries import ReasonCount
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.self_metrics import SelfMetrics
from exporter.sync.progress import Progress, Stage
from exporter.version import __version__
from exporter.web.account_query import AccountQuery
from exporter.web.page import PageRenderer
from tests.views import a_problem

NOW = 1_785_585_605.0

Views = Callable[..., AccountSnapshot]
Snapshots = Callable[..., ExporterSnapshot]


class _Reader(HTMLParser):
    """Gathers what a page says, and checks that its elements are closed in order."""

    VOID = frozenset({"input", "link", "meta", "wbr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in {"dt", "dd", "td", "th", "p", "title"}:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _read(snapshot: ExporterSnapshot) -> _Reader:
    return _Reader(PageRenderer().render(snapshot))


def test_busy_account_shows_what_an_engineer_needs(
    snapshot: Snapshots, busy: AccountSnapshot, up: SelfMetrics
) -> None:
    """Health, what is in flight and for how long, and the failures with their reasons show."""
    text = _read(snapshot((busy, up))).text
    for words in (
        "Account default ! Stuck",
        "Last poll 12 s ago 2026-08-01 11:59:53 UTC",
        "In flight 1,234",
        "Oldest in flight 1 h 23 min",
        "In flight the oldest 1 of 1,234",
        "1 h 23 min since 2026-08-01 10:36:45 UTC enable stuck SIM sim-1 Action action-1",
        "1 min 40 s ago 2026-08-01 11:58:25 UTC took 6 min 40 s set_standby failed sim_blocked",
        "A" * 200,
        "SIM sim-2 Action action-2",
        "time unknown set_standby interrupted other no reason given",
        f"telnyx-sim-exporter {__version__}",
    ):
        assert words in text, words


def test_foreign_text_is_only_text(
    snapshot: Snapshots, busy: AccountSnapshot, up: SelfMetrics
) -> None:
    """A reason full of markup shows as it is written and makes no element."""
    read = _read(snapshot((busy, up)))
    assert "<script>alert('x')</script> & \"more\"" in read.text
    assert read.all("script") == []


def test_account_names_are_only_text(view: Views, snapshot: Snapshots, up: SelfMetrics) -> None:
    """An account's name and its error are escaped as well, wherever they stand."""
    telemetry = SelfMetrics("x")
    telemetry.poll_failed(NOW - 5, 0.5, Cause.UNAVAILABLE, "<b>no answer</b>")
    read = _read(snapshot((view("<i>one</i>"), telemetry), (view("two"), up)))
    assert read.text.count("<i>one</i>") == 3
    assert "<b>no answer</b>" in read.text
    assert read.all("i") == read.all("b") == []


def test_quiet_account_says_so(view: Views, snapshot: Snapshots, up: SelfMetrics) -> None:
    """Nothing in flight and no failures are said in words, not by empty tables."""
    read = _read(snapshot((view(), up)))
    assert "No actions are in flight" in read.text
    assert "No failed or interrupted actions" in read.text
    assert read.all("table") == []


def test_account_that_was_never_polled_shows_no_numbers(view: Views, snapshot: Snapshots) -> None:
    """Before the first poll the page promises numbers and shows none."""
    read = _read(snapshot((view(baselined=False), SelfMetrics("default"))))
    assert "… Waiting" in read.text
    assert "Not polled yet. Values appear after the first poll." in read.text
    assert read.all("dl") == []


def test_restarted_account_shows_what_it_knew(snapshot: Snapshots, busy: AccountSnapshot) -> None:
    """After a restart what was committed shows at once, and is called so."""
    text = _read(snapshot((busy, SelfMetrics("default")))).text
    assert "Not polled yet. The values shown are from before the exporter started." in text
    assert "action-1" in text


def test_failed_poll_says_why_and_keeps_the_numbers(
    snapshot: Snapshots, busy: AccountSnapshot, up: SelfMetrics
) -> None:
    """An account that is down names cause, error and last success, and keeps its tables."""
    up.poll_failed(NOW - 5, 0.5, Cause.AUTH, "Telnyx refuses the API key (401)")
    read = _read(snapshot((busy, up)))
    assert "✕ Down" in read.text
    assert "The last poll failed: Telnyx refuses the API key (401) auth" in read.text
    assert "Last success 12 s ago" in read.text
    assert "action-1" in read.text
    assert "(1 down) Telnyx SIM card actions" in read.text


def test_overdue_poll_is_pointed_out(view: Views, snapshot: Snapshots) -> None:
    """An old success is not shown as if all were well."""
    telemetry = SelfMetrics("default")
    telemetry.poll_succeeded(NOW - 700, 0.5)
    text = _read(snapshot((view(), telemetry))).text
    assert "! Overdue" in text
    assert "No poll has completed for 11 min 40 s. The poll interval is 1 min" in text


def test_a_list_without_order_is_pointed_out(
    view: Views, snapshot: Snapshots, up: SelfMetrics
) -> None:
    """It costs more, so the operator is told; one in order is not worth a word."""
    unsorted = _read(snapshot((view(lists={"newest": 1, "none": 1}), up))).text
    assert "The API returns the actions unsorted." in unsorted
    assert "no order" not in _read(snapshot((view(), up))).text


def test_refused_configuration_is_pointed_out(
    view: Views, snapshot: Snapshots, up: SelfMetrics
) -> None:
    """A reload that was refused shows until one succeeds."""
    said = "The last configuration reload failed"
    assert said in _read(snapshot((view(), up), reload_successful=False)).text
    assert said not in _read(snapshot((view(), up))).text


@pytest.mark.parametrize("count", [2, 10])
def test_accounts_have_anchors_by_name(
    view: Views, snapshot: Snapshots, up: SelfMetrics, count: int
) -> None:
    """The same wherever they stand, and every link within the page leads somewhere."""
    names = [f"account {number}" for number in range(count)]
    read = _read(snapshot(*((view(name), up) for name in names)))
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = [attributes["href"] or "" for attributes in read.all("a")]
    inside = {link.removeprefix("#") for link in links if link.startswith("#")}
    assert inside <= set(ids)
    assert {f"account-account%20{number}" for number in range(count)} <= set(ids)
    assert {"metrics", "-/healthy", "-/ready", "?account=account%201"} <= set(links)


def test_details_of_many_accounts_are_a_link_away(
    snapshot: Snapshots, busy: AccountSnapshot, up: SelfMetrics
) -> None:
    """The page has a row for each; the page of one has what that of a single account has."""
    accounts = snapshot(*((replace(busy, name=f"account-{number}"), up) for number in range(10)))
    assert "action-1" not in _read(accounts).text
    one = _Reader(PageRenderer().render(accounts, asked=AccountQuery(account="account-7")))
    assert "Account account-7" in one.text
    assert "action-1" in one.text
    assert "account-6" not in one.text


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (AccountQuery(), ["down", "broken", "slow", "late", "fine-1", "fine-2"]),
        (AccountQuery(name="FINE"), ["fine-1", "fine-2"]),
        (AccountQuery(state="stuck"), ["slow"]),
        (AccountQuery(name="fine", state="down"), []),
    ],
)
def test_accounts_are_listed_by_trouble_and_filtered(
    view: Views,
    snapshot: Snapshots,
    busy: AccountSnapshot,
    up: SelfMetrics,
    asked: AccountQuery,
    names: list[str],
) -> None:
    """What is wrong is said of all accounts, whatever the filters leave."""
    down = SelfMetrics("down")
    down.poll_failed(NOW - 5, 0.5, Cause.UNAVAILABLE, "no answer")
    accounts = snapshot(
        (view("fine-1"), up),
        (view("late"), SelfMetrics("late")),
        (view("fine-2"), up),
        (replace(busy, name="slow"), up),
        (view("broken", problems=(a_problem(), a_problem("sim-3"))), up),
        (view("down"), down),
    )
    read = _Reader(PageRenderer().render(accounts, asked=asked))
    found = [link["href"] for link in read.all("a") if link.get("class") == "name"]
    assert found == [f"?account={name}" for name in names]
    assert "1 account down, overdue or not polled: down" in read.text
    assert "2 SIM card problems in 1 account" in read.text
    assert "1 action stuck in 1 account" in read.text
    assert ("No account passes these filters." in read.text) is (not names)


def test_a_hundred_accounts_fit_into_a_hundred_kilobytes(
    snapshot: Snapshots, busy: AccountSnapshot, up: SelfMetrics
) -> None:
    """Compressed, with trouble in each, and one of them in detail too."""
    problems = tuple(a_problem(str(uuid4())) for _ in range(500))
    accounts = snapshot(
        *(
            (replace(busy, name=f"customer-{number:03}-{uuid4()}", problems=problems), up)
            for number in range(100)
        )
    )
    reasons = [
        ReasonCount(f"class-{number}", f"{uuid4()} " * 20, NOW - number, {"customer-001": number})
        for number in range(100)
    ]
    one = AccountQuery(account=accounts.accounts[0][0].name)
    for asked in (AccountQuery(), one):
        page = PageRenderer().render(accounts, reasons, asked=asked)
        assert page.count("customer-") >= 1
        assert len(gzip.compress(page.encode())) < 100_000


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ([ReasonCount("other", "x", NOW, {"one": 4, "two": 5})], "4 12 s ago"),
        ([], "0 12 s ago"),
        (None, "unknown 12 s ago"),
    ],
)
def test_failures_of_the_last_day_not_of_all_time(
    view: Views,
    snapshot: Snapshots,
    up: SelfMetrics,
    reasons: list[ReasonCount] | None,
    words: str,
) -> None:
    """Those that the ledger has; history is not red."""
    one = view("one", actions={("enable", "failed"): 12_345}, failed={("enable", "other"): 7})
    read = _Reader(PageRenderer().render(snapshot((one, up), (view("two"), up)), reasons))
    assert f"one ✓ Up 0 0 0 {words}" in read.text
    assert "12,345" in read.text
    bad = {each.get("class") for each in read.all("span")} & {"bad"}
    assert bool(bad) is ("4" in words)


def test_links_lead_to_runbooks_and_elsewhere(
    view: Views, snapshot: Snapshots, up: SelfMetrics
) -> None:
    """The runbooks and what is configured stand beside the page's own links, in order."""
    links = (("My <b>dashboards</b>", 'https://h/d/u?a=1&b="2"'), ("Wiki", "http://wiki/"))
    read = _read(snapshot((view(), up), external_links=links))
    outside = [each for each in read.all("a") if (each["href"] or "").startswith("http")]
    assert [each["href"] for each in outside] == [
        "https://github.com/telnyx-sim-exporter/telnyx-sim-exporter/tree/main/docs/runbooks",
        'https://h/d/u?a=1&b="2"',
        "http://wiki/",
    ]
    assert {each["rel"] for each in outside} == {"noopener noreferrer"}
    words = ("Runbooks", "My <b>dashboards</b>", "Wiki")
    assert [word for word in words if word in read.text] == [*words]
    assert read.all("b") == []


def test_tables_and_times_are_readable_by_machines(
    snapshot: Snapshots, busy: AccountSnapshot, up: SelfMetrics
) -> None:
    """Headers have a scope, times a datetime in UTC, and the landmarks are there."""
    read = _read(snapshot((busy, up)))
    assert all(header.get("scope") in {"col", "row"} for header in read.all("th"))
    assert all((time["datetime"] or "").endswith("Z") for time in read.all("time"))
    for landmark in ("header", "main", "nav", "footer", "h1"):
        assert read.all(landmark), landmark
    assert read.all("html") == [{"lang": "en"}]


@pytest.mark.parametrize(("interval", "seconds"), [(1, "5"), (30, "30"), (3600, "60")])
def test_page_reloads_with_the_polls_on_request(
    view: Views, snapshot: Snapshots, up: SelfMetrics, interval: float, seconds: str
) -> None:
    """After a poll interval, though not in a rush nor after an hour; filters stay."""
    asked = AccountQuery(name="a b", state="up")
    for each in (asked, replace(asked, refresh=True)):
        read = _Reader(
            PageRenderer().render(snapshot((view(), up), poll_interval=interval), asked=each)
        )
        found = [meta["content"] for meta in read.all("meta") if meta.get("http-equiv")]
        assert found == ([seconds] if each.refresh else [])
        other = "./?name=a+b&state=up" + ("" if each.refresh else "&refresh=on")
        assert other in [link["href"] for link in read.all("a")]


def test_page_without_accounts_says_so(snapshot: Snapshots) -> None:
    """Even without a single account there is a whole page."""
    assert "No accounts are configured." in _read(snapshot()).text


def test_without_totals_the_page_says_what_is_not_known(
    view: Views, snapshot: Snapshots, up: SelfMetrics
) -> None:
    """It claims no zeros, and says why."""
    text = _read(snapshot((view(actions={("enable", "in-progress"): 2}, last_audit=0.0), up))).text
    assert "Failed in all unknown" in text
    assert "The API does not return total counts." in text


def test_a_catch_up_shows_how_far_it_is(view: Views, snapshot: Snapshots) -> None:
    """By a bar with its text, in the table and in the details; the page reloads more often."""
    behind, first = SelfMetrics("behind"), SelfMetrics("first")
    behind.progressed(Progress(600, Stage.CATCH_UP, done=400, total=1_000, seconds=20.0))
    first.progressed(Progress(0, Stage.BASELINE))
    taken = snapshot((view("behind"), behind), (view("first"), first), poll_interval=60)
    read = _Reader(PageRenderer().render(taken, asked=AccountQuery(refresh=True)))
    bars = [(bar["aria-label"], bar.get("value"), bar.get("max")) for bar in read.all("progress")]
    whole, unknown = ("Progress of behind", "400", "1000"), ("Progress of first", None, None)
    assert sorted(bars, key=str) == sorted([whole, unknown] * 2, key=str)
    assert "40 %" in read.text
    assert "Catching up: 400 of 1,000 actions read, 30 s left at this pace." in read.text
    assert "Taking the baseline." in read.text
    (reload,) = [each for each in read.all("meta") if each.get("http-equiv")]
    assert reload["content"] == "5"


def test_bulk_actions_show_how_far_they_are(
    view: Views, snapshot: Snapshots, up: SelfMetrics
) -> None:
    """By a bar and in words: how many, how fast, how long yet; one that stalls says so."""
    half = BulkCounts(in_progress=50, completed=40, failed=8, interrupted=2)
    going = BulkAction("b-1", "bulk_set_public_ips", NOW - 600, NOW, NOW, NOW, None, half)
    stalled = structs.replace(going, id="b-2", changed_at=NOW - 1200)
    ended = structs.replace(
        going, id="b-3", counts=BulkCounts(completed=1234), ended_at=NOW, created_at=NOW - 3600
    )
    shown = view(bulks=(going, stalled, ended), stalled_bulks=frozenset(("b-2",)))
    read = _read(snapshot((shown, up)))
    bars = [(bar["aria-label"], bar["value"], bar["max"]) for bar in read.all("progress")]
    assert bars == [
        ("Progress of bulk action b-1", "50", "100"),
        ("Progress of bulk action b-2", "50", "100"),
        ("Progress of bulk action b-3", "1234", "1234"),
    ]
    for words in (
        "50 of 100 ended 40 completed, 8 failed, 2 interrupted 5 a minute, 10 min left at this",
        "b-2 50 of 100 ended 40 completed, 8 failed, 2 interrupted none has ended for 20 min",
        "1 h since 2026-08-01",
        "1,234 of 1,234 ended",
    ):
        assert words in read.text


@pytest.mark.parametrize("created_at", [-62_135_647_200.0, 253_402_351_199.0])
def test_a_time_beyond_the_calendar_fails_no_page(
    view: Views, snapshot: Snapshots, up: SelfMetrics, created_at: float
) -> None:
    """The API's year 1 east of Greenwich, and 9999 west of it, are beyond it in UTC."""
    half = BulkCounts(in_progress=50, completed=40)
    bulk = BulkAction("b-1", "bulk_set_public_ips", created_at, NOW, NOW, NOW, None, half)
    assert "40 of 90 ended" in _read(snapshot((view(bulks=(bulk,)), up))).text
