import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import JOB, NAMESPACE, RELEASE, SHARED, Rendering, least

OWN: Json = {"keys": {"default": {"value": "KEY-of-the-test"}}}


def test_they_say_what_to_do_next(
    render: Callable[..., Rendering], notes: Callable[..., str]
) -> None:
    """Commands that can be copied: open the page, run the test."""
    said = notes()
    service = render().one("Service")["metadata"]["name"]
    assert re.search(rf"kubectl .*port-forward .*(svc|service)/{service} \d+:10874", said)
    assert re.search(rf"helm test .*{RELEASE}", said)
    commands = [line for line in said.splitlines() if re.match(r"\s*(kubectl|helm) ", line)]
    assert len(commands) >= 2
    pattern = rf"(-n|--namespace)[ =]{NAMESPACE}\b"
    assert [line for line in commands if not re.search(pattern, line)] == []
    assert "http://127.0.0.1:10874" in said or "http://localhost:10874" in said


def test_commands_follow_port_and_scheme(notes: Callable[..., str]) -> None:
    """The Service's port, and HTTPS where it is."""
    web = {"existingSecret": "web", "scheme": "HTTPS"}
    said = notes(least(web=web, service={"port": 8080}))
    assert re.search(r"port-forward .* \d+:8080", said)
    assert "https://" in said
    assert not re.search(r"http://(127|localhost)", said)


def test_they_say_how_to_scrape_without_the_operator(notes: Callable[..., str]) -> None:
    """A job by the name that the rules select; with the operator there is no need of it."""
    said = notes(operator=False)
    assert f"job_name: {JOB}" in said
    assert "scrape_config" in said
    assert "scrape_config" not in notes(operator=True)


@pytest.mark.program("promtool")
@pytest.mark.parametrize("values", [least(), least(**SHARED)], ids=["one", "several"])
def test_prometheus_takes_what_they_say(
    notes: Callable[..., str], program_path: Callable[[str], str], tmp_path: Path, values: Json
) -> None:
    """One pod is scraped by the Service, several each by itself, and their series are the same."""
    said = notes(values, operator=False)
    text = re.search(r"^  scrape_configs:\n(?:(?:    .*)\n)+", said, re.MULTILINE)
    assert text is not None
    (job,) = yaml.safe_load(text[0])["scrape_configs"]
    assert ("kubernetes_sd_configs" in job) is (values != least())
    assert ("static_configs" in job) is (values == least())
    (rule,) = job["metric_relabel_configs"]
    assert rule["target_label"] == "instance"
    job.pop("kubernetes_sd_configs", None)  # Debian's Prometheus is built without it
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": [job]}), encoding="utf-8")
    command = (program_path("promtool"), "check", "config", "--syntax-only", str(file))
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 # the test's own words
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_do_not_warn_of_a_volume_that_is_not_needed(notes: Callable[..., str]) -> None:
    """With PostgreSQL there is none."""
    assert "WARNING" not in notes(least(**SHARED, persistence={"enabled": False}))


def test_they_tell_the_label_that_prometheus_may_want(notes: Callable[..., str]) -> None:
    """kube-prometheus-stack selects by one, which cannot be known."""
    assert "monitor.labels" in notes()
    assert "monitor.labels" not in notes(least(monitor={"labels": {"release": "x"}}))


def test_they_tell_the_label_that_rules_may_want(notes: Callable[..., str]) -> None:
    """Whether the monitor has one or not: without it no alert would ever fire."""
    label = "prometheusRule.labels.release"
    labelled: Json = {"labels": {"release": "x"}}
    assert label in notes()
    assert label in notes(least(monitor=labelled))
    assert label in notes(least(monitor={"enabled": False}))
    assert label not in notes(least(prometheusRule=labelled))
    assert label not in notes(least(prometheusRule={"enabled": False}))


def test_they_name_no_test_that_there_is_not(notes: Callable[..., str]) -> None:
    """`helm test` without a pod for it succeeds, and has tested nothing."""
    assert "helm test" not in notes(least(tests={"enabled": False}))


def test_waiting_for_the_pod_ends(notes: Callable[..., str]) -> None:
    """A pod whose key is refused never gets ready: its log comes first, and the wait has an end."""
    said = notes()
    assert re.search(r"rollout status .*--timeout=", said)
    assert said.index(" logs ") < said.index("rollout status")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param(OWN, "the values contain an API key", id="key-in-values"),
        pytest.param(
            least(persistence={"enabled": False}), "persistence is disabled", id="no-volume"
        ),
        pytest.param(least(replicas=0), "replicas is 0", id="no-pod"),
        pytest.param(
            least(web={"existingSecret": "web"}), "monitor has neither basicAuth", id="password"
        ),
        pytest.param(
            least(web={"existingSecret": "web", "scheme": "HTTPS"}), "monitor.tlsConfig", id="tls"
        ),
        pytest.param(least(web={"scheme": "HTTPS"}), "enables TLS", id="no-certificate"),
    ],
)
def test_they_warn(notes: Callable[..., str], values: Json, words: str) -> None:
    """Of what is well for a trial only, or is half of what it needs; of nothing otherwise."""
    warnings = notes(values).split("WARNING: ")[1:]
    assert any(words in text for text in warnings)
    assert "WARNING" not in notes()


@pytest.mark.parametrize("values", [OWN, least()], ids=["own", "existing"])
def test_they_print_no_key(notes: Callable[..., str], values: Json) -> None:
    """They go to terminals and logs of CI."""
    assert "KEY-of-the-test" not in notes(values)


def test_they_are_text_throughout(notes: Callable[..., str], ci_file: object) -> None:
    """No file of values leaves a hole in them."""
    said = notes(ci_file)
    assert "<nil>" not in said
    assert "no value" not in said
    assert "{{" not in said
    assert not re.search(r"\n{4,}", said)
