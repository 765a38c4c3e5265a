"""One key asks for several accounts, each named by a header."""

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from exporter.config import Account, Settings

NAME = b"x-managed-account-id: "


async def test_each_account_is_asked_for_by_its_id(
    settings: Callable[..., Settings], build: Callable[..., Any]
) -> None:
    """Every request of an account has its ID, and those of the key's own account have none."""
    asked: dict[bytes, set[bytes]] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        ids = [line[len(NAME) :] for line in head.split(b"\r\n") if line.startswith(NAME)]
        asked.setdefault(head.split(b" ")[1].split(b"/")[1], set()).add(b",".join(ids))
        body = b'{"data":[],"meta":{"total_results":0}}'
        start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
        writer.write(start + b"content-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ids = {"own": None, "one": "id-1", "two": "id-2"}
        accounts = tuple(
            Account(
                name=name,
                api_key=SecretStr("KEY-manager"),
                base_url=f"http://127.0.0.1:{port}/{name}",
                managed_account_id=account_id,
            )
            for name, account_id in ids.items()
        )
        rig = build(
            settings({"own": "http://127.0.0.1:1"}).model_copy(update={"accounts": accounts})
        )
        await rig.start()

        async def all_up() -> bool:
            return bool(await rig.total("telnyx_up") == len(accounts))

        await rig.until(all_up)
        await rig.stop()
    assert asked == {b"own": {b""}, b"one": {b"id-1"}, b"two": {b"id-2"}}


async def test_a_rate_limit_is_that_of_one_managed_account(
    settings: Callable[..., Settings], build: Callable[..., Any]
) -> None:
    """After a reload, what one has exhausted holds up no other one of the same key."""
    refused = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if NAME + b"id-1\r\n" in head:
            refused.set()
            writer.write(b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 3000\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
        body = b'{"data":[],"meta":{"total_results":0}}'
        writer.write(b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        def asking_for(account_id: str) -> Settings:
            made = settings({"one": url})
            (account,) = made.accounts
            managed = account.model_copy(update={"managed_account_id": account_id})
            return made.model_copy(update={"accounts": (managed,)})

        rig = build(asking_for("id-1"))
        await rig.start()
        await asyncio.wait_for(refused.wait(), 30)
        rig.next = asking_for("id-2")
        assert await rig.exporter.reload() == ()
        await rig.until_total("telnyx_up", 1)
        await rig.stop()
