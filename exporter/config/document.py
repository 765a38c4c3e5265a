"""YAML text to plain values, with the line of each and what YAML parsers let pass.

It must not know any setting: only the form of the file is judged here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from exporter.config.problems import Place, Problem, without_quotes
from exporter.errors import ConfigError

_TAG = "tag:yaml.org,2002:"
_VALUES = tuple(_TAG + name for name in ("int", "float", "bool", "null"))
# A date is nothing that a setting takes: somebody's account may be named so.
_TEXTS = tuple(_TAG + name for name in ("str", "timestamp", "value"))
_START = "start from config.example.yaml"


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its values, the line (from 1) of each place in order, its mistakes.

    ``written`` is how numbers, true, false and null stand in the file.
    """

    data: Mapping[str, object]
    lines: Mapping[Place, int]
    problems: tuple[Problem, ...]
    written: Mapping[Place, str]


def parse(text: str, source: str, *, start: str = _START) -> Document:
    """Return the one mapping that the YAML ``text`` holds.

    ``source`` is the name of the file, and ``start`` says how to begin one anew.

    Raises ConfigError if there is no such mapping, as nothing else can be judged then.
    """
    try:
        problem = _parse(text, source, start)
    except RecursionError:
        problem = f"{source}: is nested too deep; {start}"
    except yaml.MarkedYAMLError as exc:
        problem = _syntax(exc, source)
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        problem = f"{source}:{line}: holds a control character; save it as plain text"
    if isinstance(problem, Document):
        return problem
    # Raised here, not above: the library's error holds lines of the file, keys among them.
    raise ConfigError([problem])


def _parse(text: str, source: str, start: str) -> Document | str:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None or root.tag == _TAG + "null":
            return f"{source}: is empty; {start}"
        loop = _loop(root, set(), set())
        if loop is not None:
            return f"{source}:{_line(loop)}: contains itself through an alias; write the value out"
        if not isinstance(root, yaml.MappingNode):
            return f"{source}: must be a mapping of keys; {start}"
        builder = _Builder(loader)
        data = builder.mapping(root, ())
    finally:
        loader.dispose()
    return Document(data, builder.lines, tuple(builder.problems), builder.written)


def _syntax(exc: yaml.MarkedYAMLError, source: str) -> str:
    mark = exc.problem_mark or exc.context_mark
    where = source if mark is None else f"{source}:{mark.line + 1}"
    problem = exc.problem or "cannot be parsed"
    if problem == "but found another document":
        return f"{where}: a second document begins; keep one, without a line ---"
    if "'\\t'" in problem:
        return f"{where}: a tab stands where spaces must; indent with spaces"
    return f"{where}: is not YAML ({without_quotes(problem)}); mend it, or put the value in quotes"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _loop(node: yaml.Node, above: set[int], done: set[int]) -> yaml.Node | None:
    """Return a node that holds itself, if there is one at or below ``node``."""
    if id(node) in above:
        return node
    if id(node) in done:
        return None
    above.add(id(node))
    found = next(filter(None, (_loop(child, above, done) for child in _children(node))), None)
    above.remove(id(node))
    done.add(id(node))
    return found


@dataclass(slots=True)
class _Builder:
    """Plain values from the nodes of one document."""

    loader: yaml.SafeLoader
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    merged: set[int] = field(default_factory=set)
    written: dict[Place, str] = field(default_factory=dict)

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        # An alias leads here again; merged keys would then look repeated.
        if id(node) not in self.merged:
            self.merged.add(id(node))
            self._refuse_repeated(node, place)
            self.loader.flatten_mapping(node)
        last: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value.isprintable():
                # Taken out first, so that it moves to the end, where it stands in the file.
                last.pop(key.value, None)
                last[key.value] = _line(key), value
            else:
                scalar = isinstance(key, yaml.ScalarNode)
                what = "holds a control character" if scalar else "is a list or a mapping"
                text = f"a key in line {_line(key)} {what}; write plain keys"
                self.problems.append(Problem(place, text))
        values: dict[str, object] = {}
        for name, (line, value) in last.items():
            self.lines[*place, name] = line
            values[name] = self._value(value, (*place, name))
        return values

    def _refuse_repeated(self, node: yaml.MappingNode, place: Place) -> None:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in first:
                text = f"stands twice, first in line {first[key.value]}; keep one"
                self.problems.append(Problem((*place, key.value), text))
            else:
                first[key.value] = _line(key)

    def _value(self, node: yaml.Node, place: Place) -> object:
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return self._items(node, place)
        if isinstance(node, yaml.ScalarNode) and node.tag in _TEXTS:
            return node.value
        try:
            if isinstance(node, yaml.ScalarNode) and node.tag in _VALUES:
                self.written[place] = node.value
                return self.loader.construct_object(node)
        except (ValueError, KeyError, IndexError):
            pass
        text = "has a tag, or a number, that cannot be read; remove the tag, or use quotes"
        self.problems.append(Problem(place, text))
        return None

    def _items(self, node: yaml.SequenceNode, place: Place) -> list[object]:
        values = []
        for index, item in enumerate(node.value):
            self.lines[*place, index] = _line(item)
            values.append(self._value(item, (*place, index)))
        return values
