"""What programs showed once, in files: made comparable, held against them, or written anew.

What differs from run to run becomes a word in angle brackets, and wording is left out. It must
not know what is shown.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import unified_diff
from itertools import islice
from pathlib import Path

import httpx

FOLDER = Path(__file__).with_name("recorded")
ANEW = "RECORD_ANEW"
"""The environment variable that, set to 1, writes the files instead of comparing."""

_SAMPLE = re.compile(r"(?P<name>\w+)(?P<labels>\{[^}]*\})? (?P<value>\S+)(?P<exemplar> # .*)?")
_VARIES = re.compile(
    r"telnyx_exporter_state_bytes.*"
    r"|telnyx_(exporter_(api_request|poll)_duration|sim_card_action_detection_delay)_seconds_bucket"
    r'(?!.*le="\+Inf").*'
    # How long it takes until an action that begins and ends in the story has ended.
    r'|telnyx_sim_card_action_duration_seconds_bucket.*le="(1|5|15)\.0".*'
)
_SUM = re.compile(r"telnyx_\w+_seconds_sum")
_BUCKET = re.compile(
    r'(?P<before>\w+_bucket\{.*le=)"(?P<bound>[^"]*)"(?P<after>[^}]*\}) (?P<value>\S+)'
)
_OF_THE_RUNTIME = re.compile(r"(process|python)_")
_EXEMPLAR = re.compile(r"( # \{[^}]*\} \S+) (\S+)")
_PAIR = re.compile(r'(\w+)=("(?:\\.|[^"\\])*"|\S*)')
_EPOCH = 1e9

_PLACE = re.compile(r"\S+\.ya?ml(:\d+)?: [\w.\[\]-]+: ")
_SENTENCES = {"advice", "error", "problem"}
_MEASURED = {"duration_seconds"}
_TIMES = {"created_at", "opened_at", "updated_at"}
_LEFT_OUT = {"content-length", "date"}


def compare(name: str, lines: Iterable[str]) -> None:
    """Hold ``lines`` against those recorded in the file of that name, or record them."""
    file = FOLDER / name
    shown = [line.rstrip() for line in lines]
    if os.environ.get(ANEW) == "1":
        file.write_text("".join(f"{line}\n" for line in shown), encoding="utf-8")
    different = changes(file.read_text(encoding="utf-8").splitlines(), shown)
    assert not different, "\n".join(
        (f"not as recorded in {file}; if intended, run the test with {ANEW}=1:", *different)
    )


def changes(before: list[str], after: list[str]) -> list[str]:
    """Return the lines that are only in one of both, marked with - or +, in their order."""
    lines = islice(unified_diff(before, after, n=0, lineterm=""), 2, None)  # past the names
    return [line for line in lines if not line.startswith("@@")]


@dataclass
class Names:
    """What stands for what differs: by text, and for times by how long before ``start`` they are.

    ``start`` is a whole number of seconds since the epoch; ``ages`` are the seconds before it
    that a story chose. Any other time is ``<time>``.
    """

    start: int
    ages: set[int] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """Replace every text that differs in ``text``."""
        for varying, name in self.texts.items():
            text = text.replace(varying, name)
        return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", text)

    def time(self, at: float) -> str:
        """Return what stands for a time in seconds since the epoch."""
        age = self.start - at
        return f"<start-{age:.0f}>" if age in self.ages else "<time>"

    def exposition(self, text: str) -> list[str]:
        """Make an exposition comparable; the buckets of one series become one line."""
        lines: list[str] = []
        family: dict[str, str] = {}
        for line in (each for each in text.splitlines() if not _OF_THE_RUNTIME.match(each)):
            if line.startswith("#"):
                # Which action type comes first follows from what was read first.
                lines += sorted(family.values())
                lines.append(re.sub(r"^(# HELP \w+) .*", r"\1 <sentence>", line))
                family = {}
                continue
            shown = self._sample(line)
            if (bucket := _BUCKET.fullmatch(shown)) is not None:
                series = f"{bucket['before']}*{bucket['after']}"
                so_far = family.get(series, series)
                family[series] = f"{so_far} {bucket['bound']}={bucket['value']}"
            else:
                family[shown] = shown
        return [*lines, *sorted(family.values())]

    def _sample(self, line: str) -> str:
        sample = _SAMPLE.fullmatch(line)
        assert sample is not None, line
        name, labels, value = sample["name"], sample["labels"] or "", sample["value"]
        if name == "telnyx_exporter_build_info":
            labels = re.sub(r'"[^"]*"', '"<build>"', labels)
        if _SUM.fullmatch(name):
            value = "<measured>" if float(value) else value
        elif _VARIES.fullmatch(f"{name}{labels}"):
            value = "<measured>"
        elif name.endswith("_timestamp_seconds") and float(value) > _EPOCH:
            value = self.time(float(value))
        exemplar = _EXEMPLAR.sub(r"\1 <time>", sample["exemplar"] or "")
        return self.text(f"{name}{labels} {value}{exemplar}")

    def json_log(self, lines: Iterable[str]) -> list[str]:
        """Make a log in JSON comparable: sorted, as accounts are polled side by side."""
        events = [json.loads(line) for line in lines]
        return sorted(
            json.dumps({key: self._logged(key, value) for key, value in event.items()})
            for event in events
        )

    def logfmt_log(self, lines: Iterable[str]) -> list[str]:
        """Make a log in logfmt comparable, likewise; quoted values stay quoted."""
        return sorted(
            _PAIR.sub(lambda pair: f"{pair[1]}={self._logged(pair[1], pair[2])}", line)
            for line in lines
        )

    def _logged(self, key: str, value: object) -> object:
        if not value or value == "None":
            return value
        if key in _TIMES:
            return self.time(datetime.fromisoformat(str(value)).timestamp())
        if key in _MEASURED:
            return "<measured>"
        if key == "timestamp":
            return "<time>"
        if key in _SENTENCES:
            place = _PLACE.match(self.text(str(value)))
            return f"{place[0] if place else ''}<sentence>"
        return self.text(value) if isinstance(value, str) else value

    def answer(self, asked: str, answer: httpx.Response) -> list[str]:
        """Make an answer comparable: its status and headers."""
        headers: Mapping[str, str] = answer.headers
        return [
            f"{asked}: {answer.status_code}",
            *sorted(
                f"    {name}: {self._header(name, value)}"
                for name, value in headers.items()
                if name not in _LEFT_OUT
            ),
        ]

    def _header(self, name: str, value: str) -> str:
        if name == "content-security-policy":  # has a hash of the style sheet
            return "<policy>"
        if name == "allow":  # a set
            return ", ".join(sorted(value.split(", ")))
        return self.text(value)
