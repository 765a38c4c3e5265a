from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from exporter.cli.main import main
from exporter.config import load
from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import DATABASE, LEAST, SHARED, Helm, Rendering, least

ETC = "/etc/telnyx-sim-exporter"
KEY = "KEY-of-the-test"
URL = "TELNYX_SIM_EXPORTER_STATE_URL"
WEB = "basic_auth_users: {}\n"


def laid_out(rendering: Rendering, root: Path) -> Path:
    """Lay out the files that the pod sees; give the configuration, with its paths below a root."""
    seen = {
        path for mount in rendering.container["volumeMounts"] for path in files(rendering, mount)
    }
    assert f"{ETC}/config/config.yaml" in seen, "the ConfigMap of another name is mounted"
    config = rendering.config
    named = {each["api_key_file"]: KEY for each in config["accounts"] if "api_key_file" in each}
    if config["state"].get("password_file"):
        named[config["state"]["password_file"]] = KEY
    if config.get("web", {}).get("config_file"):
        named[config["web"]["config_file"]] = WEB
    text = rendering.config_map["data"]["config.yaml"]
    for path in named:
        text = text.replace(path, f"{root}{path}")
    for path, content in (named | {f"{ETC}/config/config.yaml": text}).items():
        assert path in seen or str(Path(path).parent) in seen, f"{path} is not mounted"
        place = Path(f"{root}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    return Path(f"{root}{ETC}/config/config.yaml")


def files(rendering: Rendering, mount: Json) -> list[str]:
    """Give each file that a mount is sure to bring, or its folder where others fill that."""
    folder, volume = mount["mountPath"], rendering.volume(mount["name"])
    if "items" in volume.get("secret", {}):
        return [f"{folder}/{item['path']}" for item in volume["secret"]["items"]]
    if volume.get("configMap") == {"name": rendering.config_map["metadata"]["name"]}:
        return [f"{folder}/{name}" for name in rendering.config_map["data"]]
    sources = [each["secret"]["items"] for each in volume.get("projected", {}).get("sources", [])]
    return [f"{folder}/{item['path']}" for items in sources for item in items] or [folder]


def environment(rendering: Rendering) -> dict[str, str]:
    """Give the container's variables, with a key or a URL for what comes from elsewhere."""
    variables = rendering.container.get("env", [])
    others = {URL: "postgresql://exporter:secret@db/telnyx"}
    return {each["name"]: each.get("value", others.get(each["name"], KEY)) for each in variables}


def test_the_exporter_takes_the_configuration(tried: Rendering, tmp_path: Path) -> None:
    """`check-config` is content with every rendered file, where the mounted files are."""
    file = laid_out(tried, tmp_path)
    run = CliRunner(env=environment(tried)).invoke(main, ["check-config", str(file)])
    assert run.exit_code == 0, run.output
    assert f"{len(tried.config['accounts'])} account(s)" in run.output


def test_the_exporter_takes_the_arguments(tried: Rendering) -> None:
    """The command line is one that the exporter has, and names the mounted file."""
    name, *arguments = tried.container["args"]
    context = click.Context(main, **main.context_settings)
    command = main.get_command(context, name)
    assert command is not None
    parsed = command.make_context(name, list(arguments), parent=context).params
    assert name == "run"
    assert str(parsed["config_file"]) == f"{ETC}/config/config.yaml"
    assert "command" not in tried.container
    assert "configMap" in tried.mounted_at(f"{ETC}/config")


def test_nothing_but_accounts_and_web_file_is_added(render: Callable[..., Rendering]) -> None:
    """The configuration is the user's, with the key's file filled in."""
    expected: Json = {
        "accounts": [{"name": "default", "api_key_file": f"{ETC}/keys/default"}],
        "state": {"url": "sqlite:////var/lib/telnyx-sim-exporter/state.db"},
        "web": {"listen_address": ":10874"},
    }
    assert render().config == expected


def test_the_password_of_the_database_is_a_file(render: Callable[..., Rendering]) -> None:
    """It is the one in the Secret, not in a subPath, so that a replaced one is seen."""
    made = render(least(**SHARED | {"database": {"existingSecret": "db", "passwordKey": "pass"}}))
    assert made.config["state"] == {
        "url": DATABASE,
        "password_file": f"{ETC}/database/password",
    }
    volume = made.mounted_at(f"{ETC}/database")
    assert volume["secret"] == {
        "secretName": "db",
        "defaultMode": 0o440,
        "items": [{"key": "pass", "path": "password"}],
    }
    assert "subPath" not in volume["mount"]
    assert volume["mount"]["readOnly"] is True
    assert "env" not in made.container


def test_the_url_of_the_database_is_a_variable(render: Callable[..., Rendering]) -> None:
    """It comes from the Secret, and no file is mounted beside it; other variables stay."""
    own = {"name": "X", "value": "y"}
    database = {"existingSecret": "db", "urlKey": "uri"}
    made = render(least(replicas=3, database=database, extraEnv=[own]))
    assert made.config["state"] == {"url": f"${{{URL}}}"}
    reference = {"secretKeyRef": {"name": "db", "key": "uri"}}
    assert made.container["env"] == [{"name": URL, "valueFrom": reference}, own]
    assert f"{ETC}/database" not in {each["mountPath"] for each in made.container["volumeMounts"]}


def test_the_web_file_is_named(render: Callable[..., Rendering]) -> None:
    """It is the one in the Secret, which lies there as a folder."""
    made = render(least(web={"existingSecret": "telnyx-web", "file": "other.yml"}))
    assert made.config["web"]["config_file"] == f"{ETC}/web/other.yml"
    volume = made.mounted_at(f"{ETC}/web")
    assert volume["secret"] == {"secretName": "telnyx-web", "defaultMode": 0o440}
    assert "subPath" not in volume["mount"]
    assert volume["mount"]["readOnly"] is True
    assert f"{ETC}/web" not in {mount["mountPath"] for mount in render().container["volumeMounts"]}


def test_every_key_of_the_configuration_is_kept(render: Callable[..., Rendering]) -> None:
    """What the exporter replaces, and what helm could take for a template, comes through."""
    section: Json = {
        "poll": {"interval": "${INTERVAL}", "page_size": 100, "rate_limit": 0.5},
        "stuck_after": {"default": "1h", "set_public_ip": "2h"},
        "reasons": [{"class": "cost", "match": "(?i)\\bcosts? {{ 5 }} $$5\\b # no comment"}],
        "log": {"level": "debug", "format": "json"},
        "web": {"external_links": [{"name": "Ö: {{ .x }}", "url": "https://example.org/#a"}]},
    }
    made = render(least(config=section)).config
    section["web"]["listen_address"] = ":10874"
    assert {key: made[key] for key in section} == section


def test_large_numbers_stay_numbers(render: Callable[..., Rendering], tmp_path: Path) -> None:
    """Helm reads numbers as floats; the exporter must not see 1e+06."""
    poll = {"concurrency": 12345678, "rate_limit": 1000000}
    file = laid_out(render(least(config={"poll": poll})), tmp_path)
    settings = load(file, {})
    assert (settings.poll.concurrency, settings.poll.rate_limit) == (12345678, 1000000)


@pytest.mark.parametrize(
    ("change", "config", "secret"),
    [
        pytest.param({"config": {"log": {"level": "debug"}}}, True, False, id="configuration"),
        pytest.param({"keys": {"default": {"value": "KEY2"}}}, False, True, id="key"),
        pytest.param({"service": {"port": 1}, "image": {"tag": "2"}}, False, False, id="neither"),
    ],
)
def test_pods_are_replaced_when_what_they_read_changes(
    render: Callable[..., Rendering], change: Json, *, config: bool, secret: bool
) -> None:
    """Checksums change with the configuration and with the chart's own key, and not otherwise."""
    before = sums(render({"keys": {"default": {"value": "KEY1"}}}))
    after = sums(render({"keys": {"default": {"value": "KEY1"}}} | change))
    assert before.keys() == after.keys() == {"checksum/config", "checksum/secret"}
    assert (before["checksum/config"] != after["checksum/config"]) is config
    assert (before["checksum/secret"] != after["checksum/secret"]) is secret


def sums(rendering: Rendering) -> dict[str, Any]:
    """Give the checksums on the pod."""
    notes = rendering.pod["metadata"].get("annotations", {})
    return {key: value for key, value in notes.items() if key.startswith("checksum/")}


def test_no_checksum_of_a_secret_that_is_not_the_charts(render: Callable[..., Rendering]) -> None:
    """The chart cannot know it; its keys are read again without a restart."""
    assert sums(render()).keys() == {"checksum/config"}


def test_checksums_depend_on_nothing_else(helm: Helm, render: Callable[..., Rendering]) -> None:
    """An upgrade that changes nothing replaces no pod, whatever the chart's version is."""
    again = Helm(helm.scratch, helm.light, helm.with_rules).render(LEAST)
    assert again.text == render().text
    assert sums(render(LEAST, "--is-upgrade")) == sums(render())


def test_the_configuration_is_text_that_yaml_reads_as_it_stands(tried: Rendering) -> None:
    """The ConfigMap holds one file, and it is the one that the exporter is told of."""
    assert tried.config_map["data"].keys() == {"config.yaml"}
    assert isinstance(yaml.safe_load(tried.config_map["data"]["config.yaml"]), dict)
