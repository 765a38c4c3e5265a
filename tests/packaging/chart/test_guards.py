import re

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.guards import GUARDS, ON_PODS, Guard, accounts, config, state
from tests.packaging.chart.helm import DATABASE, SHARED, TEMPLATES, Helm, least


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_values_that_cannot_work_are_refused(helm: Helm, guard: Guard) -> None:
    """Helm says which value is wrong and what to do, before anything reaches a cluster."""
    complaint = helm.complaint(guard.values)
    assert "execution error" in complaint, complaint
    assert [word for word in guard.words if word not in complaint] == []
    assert "KEY0" not in complaint


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(least(replicas=0), id="no-pod"),
        pytest.param(least(**SHARED), id="several-pods"),
        pytest.param(state(DATABASE, replicas=3), id="several-pods-without-a-password"),
        pytest.param(
            state("postgres://exporter:${PASSWORD}@db/telnyx?sslmode=require", replicas=2),
            id="password-of-a-variable",
        ),
        pytest.param(
            least(**SHARED, strategy={"type": "Recreate"}, persistence={"existingClaim": "mine"}),
            id="claim-that-is-left",
        ),
        pytest.param(state("sqlite://", **ON_PODS), id="in-memory-without-a-volume"),
        pytest.param(state("sqlite:///:memory:", **ON_PODS), id="in-memory-spelt-out"),
        pytest.param(
            state("sqlite:////data/state.db", **ON_PODS) | {"strategy": {"type": "Recreate"}},
            id="elsewhere-for-one-pod-at-a-time",
        ),
        pytest.param(accounts({"name": "default", "api_key": "${KEY}"}, keys={}), id="variable"),
        pytest.param(
            accounts({"name": "eu", "api_key_file": "/x/key"}, keys={"default": {}}), id="own-file"
        ),
        pytest.param(accounts({}), id="account-without-a-name"),
        pytest.param(config(web={"listen_address": "0.0.0.0:10874"}), id="every-address"),
        pytest.param(config(web={"listen_address": "[::]:10874"}), id="every-address-of-both"),
        pytest.param(config(web={"listen_address": "${HOST}:10874"}), id="host-of-a-variable"),
        pytest.param(least(strategy={"type": "Recreate"}), id="recreate-with-a-volume"),
        pytest.param(
            least(strategy={"type": "RollingUpdate"}) | ON_PODS, id="rolling-without-a-volume"
        ),
        pytest.param(
            least(
                prometheusRule={
                    "objective": True,
                    "alerts": {"TelnyxSimErrorBudgetBurnFast": {"disabled": True}},
                }
            ),
            id="alert-of-an-objective",
        ),
    ],
)
def test_values_that_work_are_not_refused(helm: Helm, values: Json) -> None:
    """The guards stand close to what cannot work, and let pass what can."""
    assert "Deployment" in helm.render(values).kinds()


FAIL = re.compile(r"\bfail\b\s*(\(\s*printf\s*)?(?P<text>\"(?:[^\"\\]|\\.)*\"|`[^`]*`)?")


def messages() -> list[tuple[str, re.Pattern[str]]]:
    """Give each message with which a template fails, as a pattern of what it says at last."""
    found = []
    for path in TEMPLATES:
        code = "\n".join(re.findall(r"{{(.*?)}}", path.read_text("utf-8"), re.DOTALL))
        code = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
        for call in FAIL.finditer(code):
            assert call["text"], f"{path.name}: the words of a guard stand beside its fail"
            text = call["text"][1:-1].replace('\\"', '"')
            parts = re.split(r"%[sqdv]", text)
            found.append((text, re.compile(".*".join(map(re.escape, parts)), re.DOTALL)))
    return found


def test_each_guard_is_tested(helm: Helm) -> None:
    """No template fails in a way that the cases above do not show."""
    said = [helm.complaint(guard.values) for guard in GUARDS]
    known = messages()
    assert known
    assert [text for text, pattern in known if not any(map(pattern.search, said))] == []
