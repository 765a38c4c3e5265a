from collections.abc import Callable

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CHART, Rendering, least

FILES = sorted((CHART / "files" / "dashboards").glob("*.json"))


def boards(rendering: Rendering) -> list[Json]:
    """Give the ConfigMaps of dashboards."""
    return [each for each in rendering.all("ConfigMap") if "config.yaml" not in each["data"]]


def test_each_dashboard_is_shipped_as_it_is(render: Callable[..., Rendering]) -> None:
    """One ConfigMap for each, byte for byte: no template fills in what Grafana has to."""
    texts = {path.name: path.read_text("utf-8") for path in FILES}
    made = boards(render(chart=CHART))
    assert len(made) == len(texts) > 1
    assert [len(each["data"]) for each in made] == [1] * len(made)
    assert {name: text for each in made for name, text in each["data"].items()} == texts


def test_the_sidecar_finds_them(render: Callable[..., Rendering]) -> None:
    """By a label, and the folder by an annotation, as Grafana's chart has them by default."""
    for each in boards(render()):
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"]["grafana_folder"] == "Telnyx"


def test_label_folder_and_namespace_are_the_users(render: Callable[..., Rendering]) -> None:
    """Each is set, and the default is gone where it is taken away."""
    section = {
        "namespace": "grafana",
        "labels": {"grafana_dashboard": None, "dash": "yes"},
        "annotations": {"grafana_folder": "SIM cards"},
    }
    made = boards(render(least(dashboards=section)))
    assert made
    for each in made:
        about = each["metadata"]
        assert about["namespace"] == "grafana"
        assert about["labels"]["dash"] == "yes"
        assert "grafana_dashboard" not in about["labels"]
        assert about["annotations"]["grafana_folder"] == "SIM cards"


def test_they_may_be_left_out(render: Callable[..., Rendering]) -> None:
    """Without them only the configuration is in a ConfigMap."""
    assert boards(render(least(dashboards={"enabled": False}))) == []
