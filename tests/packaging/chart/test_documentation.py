import re
from collections.abc import Callable

import yaml

from tests.packaging.chart.helm import CHART, LEAST, Rendering, defaults
from tests.packaging.chart.written import at, commented, leaves, rows, used

ENTRIES = commented()


def test_every_value_is_told_of() -> None:
    """Each has a comment, or stands in a section that has one as a whole."""
    told = [entry.path for entry in ENTRIES]
    assert len(set(told)) == len(told) > 90
    assert [
        path
        for path in leaves(defaults())
        if not any(path == each or path.startswith(f"{each}.") for each in told)
    ] == []


def test_readme_has_a_row_for_every_value() -> None:
    """In their order, with default and meaning as values.yaml has them, and no other row."""
    assert rows() == ENTRIES


def test_templates_read_only_what_there_is() -> None:
    """Each path in a template is that of a value, or of a section."""
    values, unknown = defaults(), []
    for path in sorted(used()):
        try:
            at(values, path.split("."))
        except (KeyError, TypeError):
            unknown.append(path)
    assert used()
    assert unknown == []


def test_readme_says_how_to() -> None:
    """The cases that users ask for have a place there, and its own links lead somewhere."""
    text = (CHART / "README.md").read_text("utf-8")
    for word in ("existingSecret", "OpenShift", "HTTPS_PROXY", "uninstall", "upgrade", "helm test"):
        assert word in text, word
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert [each for each in targets if not (CHART / each).exists()] == []


def test_yaml_in_readme_is_made_of_values(render: Callable[..., Rendering]) -> None:
    """Every example of values renders, with the key's Secret where the example leaves it out."""
    examples = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text("utf-8"), re.DOTALL)
    parsed = [yaml.safe_load(each) for each in examples]
    values = [each for each in parsed if each.keys() <= defaults().keys()]
    assert values
    for each in values:
        assert "Deployment" in render({"keys": LEAST["keys"]} | each).kinds()
