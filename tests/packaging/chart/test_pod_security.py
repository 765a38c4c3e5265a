import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import Rendering
from tests.packaging.chart.pod_security import breaks, carelessness

GOOD: Json = {
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": "tmp", "emptyDir": {}}],
    "containers": [
        {
            "name": "main",
            "resources": {"limits": {"memory": "1Gi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            },
        }
    ],
}
CONTAINER = "containers.0.securityContext"


def with_(path: str, value: object) -> Json:
    """Give the good pod with one thing set, or taken out for None."""
    pod = copy.deepcopy(GOOD)
    *way, last = path.split(".")
    holder: Any = pod
    for key in way:
        holder = holder[int(key)] if isinstance(holder, list) else holder.setdefault(key, {})
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return pod


def test_every_pod_passes_restricted(tried: Rendering) -> None:
    """Whatever is chosen among the chart's options, "restricted" admits all pods."""
    pods = list(tried.pods())
    assert pods
    assert [(name, what) for name, pod in pods for what in breaks(pod)] == []


def test_every_pod_is_careful(tried: Rendering) -> None:
    """No pod has a token, a root that can be written, or memory without a bound."""
    assert [(name, what) for name, pod in tried.pods() for what in carelessness(pod)] == []


def test_the_service_account_mounts_no_token(tried: Rendering) -> None:
    """Nor does the account give one to a pod that somebody else makes for it."""
    accounts = tried.all("ServiceAccount")
    assert [each.get("automountServiceAccountToken") for each in accounts] == [
        False for _ in accounts
    ]


def test_what_the_exporter_may_write_is_on_volumes(render: Callable[..., Rendering]) -> None:
    """The state and /tmp are the only places, as the root is read-only; neither is the node's."""
    rendering = render()
    kinds = {
        mount["mountPath"]: set(rendering.volume(mount["name"])) - {"name"}
        for mount in rendering.container["volumeMounts"]
        if not mount.get("readOnly")
    }
    state = "/var/lib/telnyx-sim-exporter"
    assert kinds == {state: {"persistentVolumeClaim"}, "/tmp": {"emptyDir"}}  # noqa: S108 - the pod's


def test_a_good_pod_has_nothing_to_mend() -> None:
    """What the checks below break, passes as it is."""
    assert breaks(GOOD) == []
    assert carelessness(GOOD) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hostNetwork", True),
        ("hostPID", True),
        ("hostIPC", True),
        ("volumes", [{"name": "x", "hostPath": {"path": "/"}}]),
        ("volumes", [{"name": "x", "nfs": {"path": "/", "server": "x"}}]),
        ("securityContext.runAsUser", 0),
        ("securityContext.runAsNonRoot", None),
        ("securityContext.runAsNonRoot", False),
        ("securityContext.seccompProfile", None),
        ("securityContext.seccompProfile.type", "Unconfined"),
        ("securityContext.appArmorProfile.type", "Unconfined"),
        ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
        ("securityContext.seLinuxOptions.type", "spc_t"),
        ("securityContext.windowsOptions.hostProcess", True),
        (f"{CONTAINER}.privileged", True),
        (f"{CONTAINER}.allowPrivilegeEscalation", None),
        (f"{CONTAINER}.allowPrivilegeEscalation", True),
        (f"{CONTAINER}.procMount", "Unmasked"),
        (f"{CONTAINER}.capabilities.drop", ["NET_RAW"]),
        (f"{CONTAINER}.capabilities.add", ["NET_ADMIN"]),
        (f"{CONTAINER}.runAsUser", 0),
        (f"{CONTAINER}.runAsNonRoot", False),
        (f"{CONTAINER}.seccompProfile.type", "Unconfined"),
        (f"{CONTAINER}.seLinuxOptions.user", "root"),
        (CONTAINER, None),
        ("containers.0.ports", [{"containerPort": 1, "hostPort": 1}]),
        ("containers.0.livenessProbe.httpGet.host", "10.0.0.1"),
        ("containers.0.lifecycle.preStop.tcpSocket.host", "10.0.0.1"),
        ("initContainers", [{"name": "other"}]),
        ("ephemeralContainers", [{"name": "other"}]),
    ],
)
def test_what_restricted_forbids_is_seen(path: str, value: object) -> None:
    """Each control of the standard is checked."""
    assert breaks(with_(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("automountServiceAccountToken", None),
        ("enableServiceLinks", True),
        (f"{CONTAINER}.readOnlyRootFilesystem", False),
        ("containers.0.resources.limits", {"cpu": "1"}),
        ("containers.0.resources", None),
    ],
)
def test_carelessness_is_seen(path: str, value: object) -> None:
    """So is what the standard leaves open."""
    assert breaks(with_(path, value)) == []
    assert carelessness(with_(path, value))


def test_a_container_may_settle_what_its_pod_leaves_open() -> None:
    """The standard takes either place."""
    pod = copy.deepcopy(GOOD)
    pod["containers"][0]["securityContext"] |= pod.pop("securityContext")
    assert breaks(pod) == []
