"""How the order of a listing is found out."""

import pytest

from exporter.domain import Action
from exporter.ledger.records import SortOrder
from exporter.sync.sort_order import contradicts, detect_order, direction


def actions(*times: float | None) -> list[Action]:
    """Return one action for each time of creation."""
    return [
        Action(str(number), "", "enable", "completed", None, at, at)
        for number, at in enumerate(times)
    ]


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([100.0], None, id="one"),
        pytest.param([100.0] * 5, None, id="one bulk"),
        pytest.param([300.0, 200.0, 100.0], SortOrder.NEWEST, id="falling"),
        pytest.param([100.0, 200.0, 300.0], SortOrder.OLDEST, id="rising"),
        pytest.param([300.0, 200.0, 201.5, 100.0], SortOrder.NEWEST, id="falling, nearly"),
        pytest.param([100.0, 101.5, 100.5], None, id="within the tolerance"),
        pytest.param([103.0, 102.0, 102.0, 100.9], SortOrder.NEWEST, id="falling in small steps"),
        pytest.param([100.9, 102.0, 102.0, 103.0], SortOrder.OLDEST, id="rising in small steps"),
        pytest.param([100.0, 101.9, 103.8, 103.7], None, id="small steps that turn"),
        pytest.param([103.8, 101.9, 100.0, 100.1], None, id="small steps that turn up"),
        pytest.param([100.0, 101.0, 102.0], None, id="small steps that lead nowhere"),
        pytest.param([100.0, 300.0, 200.0], SortOrder.NONE, id="neither"),
        pytest.param([*[100.0] * 5, 90.0, *[100.0] * 5], None, id="one too old within a bulk"),
        pytest.param([*[100.0] * 5, 110.0, *[100.0] * 5], None, id="one too new within a bulk"),
        pytest.param([*[100.0] * 5, 90.0, *[100.0] * 3], SortOrder.NONE, id="a stray one of nine"),
        pytest.param([*[100.0] * 5, 90.0, *[100.0] * 4], None, id="a stray one of ten"),
        pytest.param([*[100.0] * 5, 90.0, 90.0, *[100.0] * 5], SortOrder.NONE, id="two, no stray"),
        pytest.param(
            [*[100.0] * 5, 90.0, *[95.0] * 5], SortOrder.NEWEST, id="one between two bulks"
        ),
        pytest.param(
            [150.0, *[100.0] * 9, 120.0], SortOrder.OLDEST, id="one too new before a bulk"
        ),
    ],
)
def test_a_run_of_times_shows_its_direction(times: list[float], shown: SortOrder | None) -> None:
    """Neighbours may stand the wrong way round by two seconds."""
    assert direction(times) is shown


@pytest.mark.parametrize(
    ("first", "last", "order"),
    [
        pytest.param([9e3, 8e3], [2e3, 1e3], SortOrder.NEWEST, id="newest first"),
        pytest.param([1e3, 2e3], [8e3, 9e3], SortOrder.OLDEST, id="oldest first"),
        pytest.param([9e3, 9e3], [1e3, 1e3], SortOrder.NEWEST, id="bulks, newest first"),
        pytest.param([1e3, 1e3], [9e3, 9e3], SortOrder.OLDEST, id="bulks, oldest first"),
        pytest.param([9e3, 1e3, 5e3], [2e3, 1e3], SortOrder.NONE, id="a page in no order"),
        pytest.param([9e3, 8e3], [1e4, 9.5e3], SortOrder.NONE, id="pages that disagree"),
        pytest.param([5e3, 5e3], [5e3], SortOrder.NEWEST, id="one bulk is taken as likely"),
        pytest.param([None, 2e3, None, 1e3], [500.0], SortOrder.NEWEST, id="some do not say"),
        pytest.param([], [], SortOrder.NEWEST, id="nothing is taken as likely"),
    ],
)
def test_the_order_is_learnt_from_both_ends(
    first: list[float | None], last: list[float | None], order: SortOrder
) -> None:
    """What both ends show, within and across, has to agree."""
    assert detect_order(actions(*first), actions(*last)) is order


@pytest.mark.parametrize(
    ("order", "times", "broken"),
    [
        pytest.param(SortOrder.NEWEST, [3e3, 2e3], False, id="as expected"),
        pytest.param(SortOrder.NEWEST, [2e3, 3e3], True, id="turned round"),
        pytest.param(SortOrder.NEWEST, [2e3, 3e3, 1e3], True, id="lost"),
        pytest.param(SortOrder.OLDEST, [3e3, 2e3], True, id="turned round, oldest"),
        pytest.param(SortOrder.NEWEST, [2e3, 2e3], False, id="shows nothing"),
        pytest.param(SortOrder.NONE, [2e3, 3e3, 1e3], False, id="no order still"),
        pytest.param(SortOrder.NONE, [2e3, 3e3, 4e3], True, id="an order again"),
        pytest.param(SortOrder.NEWEST, [*range(9000, 0, -100), 99.9e3], False, id="a stray one"),
    ],
)
def test_a_page_may_contradict_the_order(
    order: SortOrder, times: list[float], *, broken: bool
) -> None:
    """A page that cannot be of the order found so far is noticed."""
    assert contradicts(order, actions(*times)) is broken


def changed(*times: tuple[float, float]) -> list[Action]:
    """Return one action for each time of creation and of its last change."""
    return [
        Action(str(number), "", "enable", "completed", None, created, updated)
        for number, (created, updated) in enumerate(times)
    ]


BY_CHANGE = changed((1e3, 9e3), (5e3, 8e3), (2e3, 7e3))
BY_NOTHING = changed((1e3, 9e3), (5e3, 7e3), (2e3, 8e3))


def test_the_latest_changed_first_is_an_order() -> None:
    """What creation does not sort, the last change may; creation goes first where both do."""
    assert detect_order(BY_CHANGE, changed((4e3, 6e3), (3e3, 5e3))) is SortOrder.UPDATED
    assert detect_order(BY_CHANGE, []) is SortOrder.UPDATED
    assert detect_order(BY_NOTHING, []) is SortOrder.NONE
    assert detect_order(BY_CHANGE[::-1], []) is SortOrder.NONE
    assert detect_order(changed((5e3, 9e3), (4e3, 8e3)), changed((1e3, 2e3))) is SortOrder.NEWEST


def test_the_latest_changed_first_is_verified_by_each_page() -> None:
    """A page that is not sorted by changes contradicts it, one that shows nothing does not."""
    assert not contradicts(SortOrder.UPDATED, BY_CHANGE)
    assert not contradicts(SortOrder.UPDATED, changed((1e3, 5e3), (2e3, 5e3)))
    assert contradicts(SortOrder.UPDATED, BY_NOTHING)
    assert contradicts(SortOrder.UPDATED, BY_CHANGE[::-1])
    assert contradicts(SortOrder.NEWEST, BY_CHANGE)
    assert contradicts(SortOrder.NONE, BY_CHANGE)
    assert not contradicts(SortOrder.NONE, BY_NOTHING)
