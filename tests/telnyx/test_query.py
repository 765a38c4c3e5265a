import pytest

from exporter.telnyx.query import Query


def test_without_filters_only_the_page_is_asked_for() -> None:
    """The first page of the largest size is the default, and no filter is sent."""
    assert Query().params() == {"page[number]": "1", "page[size]": "250"}


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        pytest.param(Query(page=7), "page[number]", "7", id="page"),
        pytest.param(Query(size=1), "page[size]", "1", id="size"),
        pytest.param(Query(status="failed"), "filter[status]", "failed", id="status"),
        pytest.param(Query(action_type="enable"), "filter[action_type]", "enable", id="type"),
        pytest.param(Query(sim_card_id="s"), "filter[sim_card_id]", "s", id="sim-card"),
        pytest.param(Query(bulk_id="b"), "filter[bulk_sim_card_action_id]", "b", id="bulk"),
    ],
)
def test_each_parameter_has_its_documented_name(query: Query, name: str, value: str) -> None:
    """Each field is sent under the name of the API, on top of the page, and nothing else is."""
    assert query.params() == {**Query().params(), name: value}
