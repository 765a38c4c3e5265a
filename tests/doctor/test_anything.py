"""Whatever a server says, each check ends with a finding that can be shown and published."""

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.doctor.findings import ACCOUNT_CHECKS, Report
from exporter.doctor.rendering import as_json, as_text, published
from tests.doctor.conftest import examined, settings_for

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
SECRET = "a-name-of-somebody"
TEXTS = st.just(f"Words of {SECRET}") | st.sampled_from(
    ["", "failed", "enable", "completed", "a_b"]
)
STATUSES = JSON | TEXTS | st.fixed_dictionaries({"value": TEXTS | JSON, "reason": TEXTS | JSON})
TIMES = (
    JSON | TEXTS | st.sampled_from(["2024-01-01", "2024-01-01T00:00:00.000Z", "2024-01-01 1 pm"])
)
ITEMS = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=8)},
    optional={
        "sim_card_id": TEXTS | JSON,
        "action_type": TEXTS | JSON,
        "status": STATUSES,
        "created_at": TIMES,
        "updated_at": TIMES,
        "iccid": TEXTS | JSON,
        "sim_card_group_id": TEXTS | JSON,
        "sim_card_group": JSON,
        "sim_card_actions_summary": JSON,
    },
)
METAS = st.fixed_dictionaries(
    {}, optional={"total_results": st.integers(0, 900) | JSON, "page_size": st.integers(0, 300)}
)
BODIES = (
    st.fixed_dictionaries({"data": st.lists(ITEMS | JSON, max_size=4), "meta": METAS | JSON})
    | st.fixed_dictionaries({"data": ITEMS})
    | st.fixed_dictionaries({"errors": st.lists(st.dictionaries(TEXTS, JSON | TEXTS), max_size=2)})
    | JSON
)
HEADERS = st.dictionaries(
    st.sampled_from(["date", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]),
    st.sampled_from(
        ["0", "7", "1e400", "nan", "-1", "1700000000", "Tue, 1 Jan 2030 0:00 GMT", "?"]
    ),
)
STATUS_CODES = st.sampled_from([200] * 12 + [400, 401, 402, 403, 404, 422])
ANSWERS = st.lists(st.tuples(STATUS_CODES, BODIES, HEADERS), min_size=1, max_size=25)


async def _examine(answers: list[tuple[int, Any, dict[str, str]]]) -> Report:
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await reader.readline():  # only whether it can be connected to
            writer.close()
            return
        await reader.readuntil(b"\r\n\r\n")
        status, body, headers = left.pop(0) if len(left) > 1 else left[0]
        content = json.dumps(body).encode()
        head = {**headers, "content-length": len(content), "connection": "close"}
        lines = [f"HTTP/1.1 {status} Words", *(f"{name}: {value}" for name, value in head.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return Report((), await examined(settings_for(f"http://127.0.0.1:{port}/v2")))


@settings(max_examples=25, deadline=None)
@given(ANSWERS)
def test_any_answers_give_a_report(answers: list[tuple[int, Any, dict[str, str]]]) -> None:
    """It has each check; what is published has none of the server's words, but single ones."""
    report = asyncio.run(_examine(answers))
    (account,) = report.accounts
    assert tuple(each.check for each in account.findings) == ACCOUNT_CHECKS
    assert account.requests <= 25
    for each in account.findings:
        assert each.text
        assert bool(each.remedy) == (each.result in {"warn", "fail"}), each
    results = {each.check: each.result for each in account.findings}
    assert "fail" in results.values() or results["list"] in {"ok", "warn"}
    text = as_text(report, {"a": "1"}, width=80, encoding="ascii")
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    shown = as_text(published(report), {}, width=80, encoding="utf-8")
    assert SECRET not in shown + as_json(published(report), {})
