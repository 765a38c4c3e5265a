"""Read YAML as strictly as a cluster does; it must not know what the documents mean."""

from collections.abc import Hashable
from typing import Any

import yaml

Json = dict[str, Any]


class _Strict(yaml.CSafeLoader):
    """Refuses a key that stands twice, where PyYAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - as PyYAML has it
        """Build a mapping of keys that are all unlike."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"stands twice: {sorted(twice)}", node.start_mark
            )
        built: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return built


def parse_all(text: str) -> list[Any]:
    """Parse every document of a text; ConstructorError where a key stands twice."""
    return list(yaml.load_all(text, Loader=_Strict))
