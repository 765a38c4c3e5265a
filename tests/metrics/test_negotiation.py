import gzip

import pytest

from exporter.metrics.negotiation import Format, accepts_gzip, choose_format, compress

OPENMETRICS = "application/openmetrics-text"
PROMETHEUS_3 = (
    f"{OPENMETRICS};version=1.0.0;escaping=allow-utf-8;q=0.6,{OPENMETRICS};version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        pytest.param("", Format.TEXT, id="no header"),
        pytest.param("*/*", Format.TEXT, id="anything"),
        pytest.param("text/html,*/*;q=0.8", Format.TEXT, id="browser"),
        pytest.param("application/json", Format.TEXT, id="nothing on offer"),
        pytest.param(PROMETHEUS_3, Format.OPENMETRICS, id="Prometheus 3"),
        pytest.param(OPENMETRICS, Format.OPENMETRICS, id="no version"),
        pytest.param(f"{OPENMETRICS}; version=1.0.0", Format.OPENMETRICS, id="version 1.0.0"),
        pytest.param(f'{OPENMETRICS}; version="1.0.0"', Format.OPENMETRICS, id="quoted"),
        pytest.param(OPENMETRICS.upper(), Format.OPENMETRICS, id="upper case"),
        pytest.param(f"{OPENMETRICS}; version=abc", Format.TEXT, id="odd version"),
        pytest.param(f"{OPENMETRICS}; version=0.0.1", Format.TEXT, id="old version"),
        pytest.param(f"{OPENMETRICS};q=0.3,text/plain;q=0.9", Format.TEXT, id="likes text"),
        pytest.param(f"{OPENMETRICS};q=0.9,text/plain;q=0.3", Format.OPENMETRICS, id="likes it"),
        pytest.param(f"{OPENMETRICS},text/plain", Format.OPENMETRICS, id="likes both"),
        pytest.param(f"{OPENMETRICS};q=0.5,*/*", Format.TEXT, id="likes all others more"),
        pytest.param(
            f"{OPENMETRICS};q=0.5,text/plain;q=0.1,*/*",
            Format.OPENMETRICS,
            id="the specific range decides",
        ),
        pytest.param(f"{OPENMETRICS};q=0", Format.TEXT, id="refused"),
        pytest.param(f"{OPENMETRICS};q=high", Format.TEXT, id="odd quality"),
        pytest.param(f"{OPENMETRICS};q=nan", Format.TEXT, id="not a number"),
        pytest.param(",;,=;q=,", Format.TEXT, id="rubbish"),
    ],
)
def test_format_follows_the_header(accept: str, chosen: Format) -> None:
    """The format that the scraper likes best is chosen; whatever it sends, there is one."""
    assert choose_format(accept) is chosen


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("gzip;q=0.2, identity;q=0.8", False),
        ("br", False),
    ],
)
def test_gzip_follows_the_header(header: str, allowed: bool) -> None:  # noqa: FBT001 # a test's data
    """An answer is compressed only for a scraper that takes gzip and does not mind it."""
    assert accepts_gzip(header) is allowed


def test_compressed_is_the_same_when_read() -> None:
    """What is compressed reads back unchanged, and the same body gives the same bytes."""
    assert gzip.decompress(compress(b"a" * 1000)) == b"a" * 1000
    assert compress(b"body") == compress(b"body")
