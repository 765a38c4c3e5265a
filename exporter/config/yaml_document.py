"""YAML text to plain values, with the line of each, and what YAML parsers wrongly let pass.

It must not know any setting: only the form of the file is checked here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from exporter.config.mistakes import KeyPath, Mistake, redact_quoted
from exporter.errors import ConfigError

_TAG = "tag:yaml.org,2002:"
_VALUES = tuple(_TAG + name for name in ("int", "float", "bool", "null"))
# No setting takes a date, but an account may be named like one.
_TEXTS = tuple(_TAG + name for name in ("str", "timestamp", "value"))


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A parsed file ``source``; ``lines`` has the line (from 1) of each path, in order."""

    source: str
    data: Mapping[str, object]
    lines: Mapping[KeyPath, int]
    mistakes: tuple[Mistake, ...]
    spelling: Mapping[KeyPath, str]
    """How numbers, true, false and null are spelled in the file."""

    def spelled(self, *paths: KeyPath) -> dict[str, object]:
        """Return the data, but as texts the numbers and the like below ``paths``.

        A null that is the value of a key stays null.
        """

        def convert(value: object, path: KeyPath, *, below: bool) -> object:
            below = below or path in paths
            if isinstance(value, Mapping):
                return {
                    key: convert(inner, (*path, key), below=below and inner is not None)
                    for key, inner in value.items()
                }
            if isinstance(value, list):
                items = enumerate(value)
                return [convert(inner, (*path, index), below=below) for index, inner in items]
            return self.spelling.get(path, value) if below and path not in paths else value

        return {key: convert(value, (key,), below=False) for key, value in self.data.items()}


def parse_yaml(text: str, source: str, *, hint: str) -> YamlDocument:
    """Return the one mapping that the YAML ``text`` of the file ``source`` holds.

    ``hint`` tells whoever has an empty file how to start one.

    Raises ConfigError if there is no such mapping, as nothing else can be checked then.
    """
    try:
        result = _parse(text, source, hint)
    except RecursionError:
        result = f"{source}: is nested too deeply; {hint}"
    except yaml.MarkedYAMLError as exc:
        result = _syntax(exc, source)
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        result = f"{source}:{line}: contains a control character; save it as plain text"
    if isinstance(result, YamlDocument):
        return result
    # Raised here, not above: the library's error holds lines of the file, API keys among them.
    raise ConfigError([result])


def _parse(text: str, source: str, hint: str) -> YamlDocument | str:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None or root.tag == _TAG + "null":
            return f"{source}: is empty; {hint}"
        loop = _loop(root, set(), set())
        if loop is not None:
            return f"{source}:{_line(loop)}: contains itself through an alias; write the value out"
        if not isinstance(root, yaml.MappingNode):
            return f"{source}: must be a mapping of keys; {hint}"
        builder = _Builder(loader)
        data = builder.mapping(root, ())
    finally:
        loader.dispose()
    return YamlDocument(source, data, builder.lines, tuple(builder.mistakes), builder.spelling)


def _syntax(exc: yaml.MarkedYAMLError, source: str) -> str:
    mark = exc.problem_mark or exc.context_mark
    where = source if mark is None else f"{source}:{mark.line + 1}"
    reason = exc.problem or "cannot be parsed"
    if reason == "but found another document":
        return f"{where}: contains a second document; keep one, and remove the line ---"
    if "'\\t'" in reason:
        return f"{where}: contains a tab where spaces belong; indent with spaces"
    return f"{where}: is not valid YAML ({redact_quoted(reason)}); fix it, or quote the value"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _loop(node: yaml.Node, above: set[int], done: set[int]) -> yaml.Node | None:
    """Return a node that contains itself, if there is one at or below ``node``."""
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
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    merged: set[int] = field(default_factory=set)
    spelling: dict[KeyPath, str] = field(default_factory=dict)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        # An alias leads here again; merged keys would then look repeated.
        if id(node) not in self.merged:
            self.merged.add(id(node))
            self._refuse_repeated(node, path)
            self.loader.flatten_mapping(node)
        last: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value.isprintable():
                # Taken out first, so that it moves to the end, where it stands in the file.
                last.pop(key.value, None)
                last[key.value] = _line(key), value
            else:
                scalar = isinstance(key, yaml.ScalarNode)
                what = "contains a control character" if scalar else "is a list or a mapping"
                text = f"a key on line {_line(key)} {what}; use plain keys"
                self.mistakes.append(Mistake(path, text))
        values: dict[str, object] = {}
        for name, (line, value) in last.items():
            self.lines[*path, name] = line
            values[name] = self._value(value, (*path, name))
        return values

    def _refuse_repeated(self, node: yaml.MappingNode, path: KeyPath) -> None:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in first:
                text = f"is set twice, first on line {first[key.value]}; keep one"
                self.mistakes.append(Mistake((*path, key.value), text))
            else:
                first[key.value] = _line(key)

    def _value(self, node: yaml.Node, path: KeyPath) -> object:
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return self._items(node, path)
        if isinstance(node, yaml.ScalarNode) and node.tag in _TEXTS:
            return node.value
        try:
            if isinstance(node, yaml.ScalarNode) and node.tag in _VALUES:
                self.spelling[path] = node.value
                return self.loader.construct_object(node)
        except (ValueError, KeyError, IndexError):
            pass
        text = "has a tag, or a number, that cannot be read; remove the tag, or use quotes"
        self.mistakes.append(Mistake(path, text))
        return None

    def _items(self, node: yaml.SequenceNode, path: KeyPath) -> list[object]:
        values = []
        for index, item in enumerate(node.value):
            self.lines[*path, index] = _line(item)
            values.append(self._value(item, (*path, index)))
        return values
