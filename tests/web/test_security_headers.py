from typing import Any

import httpx

from exporter.web.page import PageRenderer
from exporter.web.security_headers import style_source


def test_style_source_is_the_hash_of_the_style() -> None:
    """The expression is the one that browsers compute (of the empty style, a known value)."""
    assert style_source("") == "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"


async def test_only_the_style_of_the_page_is_allowed(
    client: httpx.AsyncClient, operator: Any
) -> None:
    """The policy names the hash of exactly what stands between the style tags."""
    answer = await client.get("/")
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    assert style == PageRenderer().css
    assert f"style-src {style_source(style)};" in answer.headers["content-security-policy"]
    assert "style=" not in answer.text
    assert operator.reloads == 0
