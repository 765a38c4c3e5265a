import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.ids import IdCodec, IdType


@given(
    seed=st.integers(0, 2**31),
    id_type=st.sampled_from(IdType),
    ordinal=st.integers(0, 2**64 - 1),
)
def test_an_id_is_a_version_4_uuid_that_can_be_read_back(
    seed: int, id_type: IdType, ordinal: int
) -> None:
    """Whatever it stands for, an id is a proper UUID and encodes its type and ordinal."""
    ids = IdCodec(seed)
    text = ids.encode(id_type, ordinal)
    assert str(uuid.UUID(text)) == text
    assert uuid.UUID(text).version == 4
    assert ids.decode(id_type, text) == ordinal
    assert all(ids.decode(other, text) is None for other in IdType if other is not id_type)


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
    """A text that the account did not make is not an id of any type."""
    assert [IdCodec(1).decode(id_type, text) for id_type in IdType] == [None] * len(IdType)


def test_two_seeds_make_different_ids() -> None:
    """Accounts with different seeds share no ids."""
    first, second = IdCodec(1), IdCodec(2)
    assert second.decode(IdType.ACTION, first.encode(IdType.ACTION, 7)) is None
