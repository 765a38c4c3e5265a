import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.ids import Ids, Kind


@given(
    seed=st.integers(0, 2**31),
    kind=st.sampled_from(Kind),
    ordinal=st.integers(0, 2**64 - 1),
)
def test_an_id_is_a_version_4_uuid_that_can_be_read_back(
    seed: int, kind: Kind, ordinal: int
) -> None:
    """Whatever it stands for, an id is a proper UUID and holds its kind and ordinal."""
    ids = Ids(seed)
    text = ids.make(kind, ordinal)
    assert str(uuid.UUID(text)) == text
    assert uuid.UUID(text).version == 4
    assert ids.read(kind, text) == ordinal
    assert all(ids.read(other, text) is None for other in Kind if other is not kind)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("not-a-uuid", id="text"),
        pytest.param("6a09cdc3-8948-47f0-aa62-74ac943d6c58", id="somebody else's"),
        pytest.param("6a09cdc3-8948-17f0-aa62-74ac943d6c58", id="version 1"),
    ],
)
def test_a_foreign_id_stands_for_nothing(text: str) -> None:
    """A text that the account did not make is no id of any kind."""
    assert [Ids(1).read(kind, text) for kind in Kind] == [None] * len(Kind)


def test_two_seeds_make_different_ids() -> None:
    """Accounts with different seeds share no ids."""
    first, second = Ids(1), Ids(2)
    assert second.read(Kind.ACTION, first.make(Kind.ACTION, 7)) is None
