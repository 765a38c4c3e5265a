"""Which texts can be an API key: the same for a setting, a key file and the environment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.config import Settings, from_environment
from exporter.config.api_key_format import api_key_fault
from exporter.errors import ConfigError

VARIABLE = "contains a variable that is not replaced; "
QUOTES = "contains quotes around the key; remove them"
NAME = "contains a name before the key; "
JSON = "contains JSON; "
LINES = "contains several lines; "
PLACEHOLDER = "contains a placeholder"
BEARER = "begins with Bearer, "
PATH = "contains a path or a URL; "
CHARACTER = "contains a character that no API key has"

FAULTY = [
    ("", "is empty; "),
    (" \t", "is empty; "),
    ("$TELNYX_API_KEY", VARIABLE),
    ("${TELNYX_API_KEY}", VARIABLE),
    ("$(cat /run/SECRET)", VARIABLE),
    ("%TELNYX_API_KEY%", VARIABLE),
    ("$env:TELNYX_API_KEY", VARIABLE),
    ("{{ .Values.SECRET }}", VARIABLE),
    ("${{ secrets.SECRET }}", VARIABLE),
    ("%(SECRET)s", VARIABLE),
    ("#{SECRET}", VARIABLE),
    ("@@SECRET@@", VARIABLE),
    ("__SECRET__", VARIABLE),
    ("ENC[AES256_GCM,data:SECRET]", "contains an encrypted value; "),
    ("@SECRET.txt", "contains the name of a file; "),
    ("&lt;SECRET&gt;", PLACEHOLDER),
    ("KEY", PLACEHOLDER),
    ("true", PLACEHOLDER),
    ("False", PLACEHOLDER),
    ("~", PLACEHOLDER),
    ("-----BEGIN", "contains a certificate or "),
    ('"KEY0123SECRET"', QUOTES),
    ("'KEY0123SECRET'", QUOTES),
    ('"KEY0123SECRET', QUOTES),
    ("\u201cKEY0123SECRET\u201d", QUOTES),
    ("TELNYX_API_KEY=KEY0123SECRET", NAME),
    ("export TELNYX_API_KEY=KEY0123SECRET", NAME),
    ('export TELNYX_API_KEY="KEY0123SECRET"', NAME),
    ("api_key: KEY0123SECRET", NAME),
    ("KEY0123SECRET\nKEY0123SECRET", LINES),
    ("KEY0123SECRET\r\n\r\nKEY0123SECRET", LINES),
    ("# SECRET\nTELNYX_API_KEY=KEY0123SECRET", LINES),
    ('{"api_key": "KEY0123SECRET"}', JSON),
    ('[\n"KEY0123SECRET"]', JSON),
    ("KEY...", PLACEHOLDER),
    ("KEY0123SECRET...", PLACEHOLDER),
    ("KEY0123SECRET\u2026", PLACEHOLDER),
    ("KEY0123****", PLACEHOLDER),
    ("<your key>", PLACEHOLDER),
    ("<SECRET>", PLACEHOLDER),
    ("changeme", PLACEHOLDER),
    ("CHANGE_ME", PLACEHOLDER),
    ("your-api-key", PLACEHOLDER),
    ("YOUR_TELNYX_API_KEY_HERE", PLACEHOLDER),
    ("insert key here", PLACEHOLDER),
    ("TELNYX_API_KEY", PLACEHOLDER),
    ("KEYXXXXXXXX_XXXX", PLACEHOLDER),
    ("xxx", PLACEHOLDER),
    ("TODO", PLACEHOLDER),
    ("None", PLACEHOLDER),
    (
        "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----",
        "contains a certificate or ",
    ),
    ("Bearer KEY0123SECRET", BEARER),
    ("bEARER\tKEY0123SECRET", BEARER),
    ("bearer", BEARER),
    ("Authorization: Bearer KEY0123SECRET", BEARER),
    ("/etc/SECRET/key", PATH),
    ("https://SECRET.example.org/", PATH),
    ("S0VZMDEyM1NFQ1JFVA==", "contains a key in base64; "),
    ("KEY0123 SECRET", CHARACTER),
    ("KEY0123SECRET\x7f", CHARACTER),
    ("KEY0123SECRET\xe9", CHARACTER),
    ("KEY0123SECRET\udcff", CHARACTER),
    ("K" * 4097, "is longer than 4096 "),
]
IN_A_FILE = [pair for pair in FAULTY if "\udcff" not in pair[0] and not pair[0].startswith("KKK")]

Load = Callable[[str], Settings]


@pytest.mark.parametrize(("key", "fault"), FAULTY)
def test_what_cannot_be_a_key_is_told_by_its_kind(key: str, fault: str) -> None:
    """Each kind has its reason and its remedy, in one line that does not hold the text."""
    told = api_key_fault(key)
    assert told.startswith(fault)
    assert ("; " in told, "\n" in told, "SECRET" in told) == (True, False, False)


@pytest.mark.parametrize(
    "key",
    [
        "KEY0123456789ABCDEF0123456789ABCDEF_aB1cD2eF3gH4iJ5kL6mN7o",
        "KEY-simulated",
        "x",
        "v2.0123-abc_DEF~",
        "c2VjcmV0LWtleQ==",
        "a+b/c",
        "KEY${x}",
        "bearer-of-news",
        "test-key",
        "KEY0123456789",
        "0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-nature_",
    ],
)
def test_what_may_be_a_key_is_taken(key: str) -> None:
    """No prefix is asked for, and no length."""
    assert api_key_fault(key) == ""


@pytest.mark.parametrize(
    "key", ["x" * 4095 + "y", "your" * 1000 + "q", "a:" + " " * 4000, "\n" * 4000]
)
def test_no_text_takes_long_to_judge(key: str) -> None:
    """A text that is almost of several kinds is judged like any other; the time-out watches."""
    assert isinstance(api_key_fault(key), str)


@pytest.mark.parametrize(("key", "fault"), FAULTY)
def test_a_setting_is_judged(
    load_text: Load, key: str, fault: str, environ: dict[str, str]
) -> None:
    """The key of an account is told with its place."""
    environ["GIVEN"] = key
    with pytest.raises(ConfigError, match="api_key: ") as caught:
        load_text("accounts: [{api_key: '${GIVEN}'}]")
    (mistake,) = caught.value.mistakes
    assert f": accounts[0].api_key: {fault}" in mistake
    assert "SECRET" not in mistake


@pytest.mark.parametrize(("key", "fault"), IN_A_FILE)
def test_a_key_file_is_judged(load_text: Load, tmp_path: Path, key: str, fault: str) -> None:
    """What a file holds is judged when the configuration is read."""
    path = tmp_path / "key"
    path.write_text(f"{key}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_text(f"accounts: [{{api_key_file: '{path}'}}]")
    (mistake,) = caught.value.mistakes
    assert f": accounts[0].api_key_file: the file {fault}" in mistake
    assert "SECRET" not in mistake


@pytest.mark.parametrize(("key", "fault"), FAULTY)
def test_the_environment_is_judged(key: str, fault: str) -> None:
    """The variable that stands for a whole configuration is judged likewise."""
    with pytest.raises(ConfigError) as caught:
        from_environment({"TELNYX_API_KEY": key})
    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f"TELNYX_API_KEY: {fault}")
    assert "SECRET" not in mistake
