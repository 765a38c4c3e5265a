import base64
import json
import re
from collections.abc import Callable

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import LEAST, Rendering

KEYS = "/etc/telnyx-sim-exporter/keys"
SECRET = "KEY-SECRET-OF-THE-TEST"
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
OWN: Json = {"keys": {"default": {"value": SECRET}}}
SEVERAL: Json = {
    "config": {
        "accounts": [
            {"name": "eu", "action_types": ["enable"]},
            {"name": "Lager Süd/1"},
            {"name": "Lager Süd/2"},
            {"name": "us", "base_url": "https://api.example.org/v2"},
            {"name": "by-file", "api_key_file": "/mine/key"},
            {"name": "by-variable", "api_key": "${KEY}"},
        ]
    },
    "keys": {
        "eu": {"existingSecret": "telnyx", "key": "eu"},
        "Lager Süd/1": {"existingSecret": "telnyx"},
        "Lager Süd/2": {"value": SECRET},
        "us": {"value": f"{SECRET}-2"},
    },
}


def sources(rendering: Rendering) -> list[tuple[str, str, str]]:
    """Give Secret, key and file name of each key that is mounted."""
    volume = rendering.mounted_at(KEYS)["projected"]
    return [
        (source["secret"]["name"], item["key"], item["path"])
        for source in volume["sources"]
        for item in source["secret"]["items"]
    ]


def test_a_key_is_a_file_from_a_secret(render: Callable[..., Rendering]) -> None:
    """Not a variable, which would show in the process list of the node and need a restart."""
    made = render()
    assert sources(made) == [("telnyx", "api-key", "default")]
    assert "KEY" not in json.dumps(made.container.get("env", []))
    assert "secretKeyRef" not in made.text


def test_a_key_that_is_replaced_is_seen(render: Callable[..., Rendering]) -> None:
    """Kubernetes renews files of a whole volume only; only the group may read them."""
    for values in (LEAST, OWN, SEVERAL):
        volume = render(values).mounted_at(KEYS)
        assert not volume["mount"].keys() & {"subPath", "subPathExpr"}
        assert volume["mount"]["readOnly"] is True
        assert volume["projected"]["defaultMode"] == 0o440
        modes = [
            item for source in volume["projected"]["sources"] for item in source["secret"]["items"]
        ]
        assert not [item for item in modes if "mode" in item]


def test_modes_of_files_are_decimal(tried: Rendering) -> None:
    """What begins with 0 is octal to YAML 1.1 and decimal to YAML 1.2."""
    modes = re.findall(r"\b(?:defaultMode|mode): (\S+)", tried.text)
    assert {each for each in modes if each != "0"} == {str(0o440)}


def test_no_secret_is_made_beside_an_existing_one(render: Callable[..., Rendering]) -> None:
    """The chart does not touch the user's Secret, or make an empty one."""
    assert "Secret" not in render().kinds()


@pytest.mark.parametrize("values", [OWN, SEVERAL], ids=["one", "several"])
def test_a_key_of_the_values_is_in_the_own_secret_alone(
    render: Callable[..., Rendering], notes: Callable[..., str], values: Json
) -> None:
    """Neither as it is nor in base64 does it stand anywhere else, notes and checksums included."""
    made = render(values)
    coded = base64.b64encode(SECRET.encode()).decode().rstrip("=")
    hidden = re.compile(f"{SECRET}|{coded[:-2]}")
    own = made.one("Secret")
    assert hidden.search(json.dumps(own))
    others = [each for each in made.objects if each is not own]
    assert not hidden.search(json.dumps(others))
    assert not hidden.search(notes(values))


def test_the_own_secret_holds_the_key(render: Callable[..., Rendering]) -> None:
    """Under the name by which it is mounted, byte for byte."""
    made = render(OWN)
    own = made.one("Secret")
    ((name, key, path),) = sources(made)
    assert (name, path) == (own["metadata"]["name"], "default")
    data = {k: base64.b64decode(v).decode() for k, v in own.get("data", {}).items()}
    assert (data | own.get("stringData", {})) == {key: SECRET}
    assert own["type"] == "Opaque"


def test_each_account_has_a_file_of_its_own(render: Callable[..., Rendering]) -> None:
    """Also where its name cannot be one of a file; other settings of the account are kept."""
    made = render(SEVERAL)
    accounts = {each["name"]: each for each in made.config["accounts"]}
    assert list(accounts) == [each["name"] for each in SEVERAL["config"]["accounts"]]
    assert accounts["by-file"] == {"name": "by-file", "api_key_file": "/mine/key"}
    assert accounts["by-variable"] == {"name": "by-variable", "api_key": "${KEY}"}
    assert accounts["eu"] == {
        "name": "eu",
        "action_types": ["enable"],
        "api_key_file": f"{KEYS}/eu",
    }
    mounted = {f"{KEYS}/{path}": (name, key) for name, key, path in sources(made)}
    told = {accounts[name]["api_key_file"]: name for name in SEVERAL["keys"]}
    assert mounted.keys() == told.keys()
    assert len(mounted) == 4
    assert all(PLAIN.fullmatch(path) for _, _, path in sources(made))
    assert mounted[accounts["eu"]["api_key_file"]] == ("telnyx", "eu")
    assert mounted[accounts["Lager Süd/1"]["api_key_file"]] == ("telnyx", "api-key")


def test_the_own_secret_holds_the_keys_of_several(render: Callable[..., Rendering]) -> None:
    """One entry for each, which are the ones that are mounted from it."""
    made = render(SEVERAL)
    own = made.one("Secret")
    entries = own.get("data", {}) | own.get("stringData", {})
    mounted = [key for name, key, _ in sources(made) if name == own["metadata"]["name"]]
    assert sorted(entries) == sorted(mounted)
    assert len(entries) == 2


def test_without_a_key_of_the_chart_no_volume_is_mounted(render: Callable[..., Rendering]) -> None:
    """An account may bring its own file or variable; a volume without a source is refused."""
    values = {"config": {"accounts": [{"name": "x", "api_key": "${KEY}"}]}}
    made = render(values)
    assert KEYS not in {mount["mountPath"] for mount in made.container["volumeMounts"]}
    assert [each["name"] for each in made.pod["spec"]["volumes"] if "projected" in each] == []


def test_the_test_pod_has_no_key(tried: Rendering) -> None:
    """It only asks for the metrics."""
    for pod in (each for each in tried.all("Pod") if "helm.sh/chart" in each["metadata"]["labels"]):
        kinds = {kind for volume in pod["spec"].get("volumes", []) for kind in volume}
        assert not kinds & {"secret", "projected", "configMap", "persistentVolumeClaim"}
        assert "secretKeyRef" not in json.dumps(pod)
