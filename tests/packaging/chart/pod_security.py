"""The Pod Security Standard "restricted" as a function; it must not know the chart."""

from collections.abc import Iterator
from typing import Any

from tests.packaging.chart.documents import Json

PROFILES = {"RuntimeDefault", "Localhost"}
SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
}
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def breaks(pod: Json) -> list[str]:
    """List what "restricted" refuses in a pod's spec, with its place."""
    return [*_of_pod(pod), *(each for box in _containers(pod) for each in _of_container(pod, box))]


def carelessness(pod: Json) -> list[str]:
    """List what "restricted" lets pass and a careful pod still does not do."""
    found = []
    if pod.get("automountServiceAccountToken") is not False:
        found.append("automountServiceAccountToken")
    if pod.get("enableServiceLinks") is not False:
        found.append("enableServiceLinks")
    for box in _containers(pod):
        if _context(box).get("readOnlyRootFilesystem") is not True:
            found.append(f"{box['name']}: readOnlyRootFilesystem")
        if "memory" not in box.get("resources", {}).get("limits", {}):
            found.append(f"{box['name']}: limits.memory")
    return found


def _containers(pod: Json) -> list[Json]:
    return [box for kind in CONTAINERS for box in pod.get(kind) or []]


def _context(holder: Json) -> Json:
    context: Json = holder.get("securityContext") or {}
    return context


def _of_pod(pod: Json) -> Iterator[str]:
    context = _context(pod)
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key))
    for volume in pod.get("volumes") or []:
        kinds = volume.keys() - {"name"}
        yield from (f"volume {volume['name']}: {kind}" for kind in sorted(kinds - VOLUMES))
    sysctls = [each["name"] for each in context.get("sysctls") or []]
    yield from (f"sysctl {name}" for name in sysctls if name not in SYSCTLS)
    yield from _of_any("pod", context)


def _of_any(place: str, context: Json) -> Iterator[str]:
    """List what a pod and a container may set alike."""
    if context.get("runAsUser") == 0:
        yield f"{place}: runAsUser"
    linux = context.get("seLinuxOptions") or {}
    if linux.get("type", "") not in SELINUX_TYPES or linux.get("user") or linux.get("role"):
        yield f"{place}: seLinuxOptions"
    for kind in ("seccompProfile", "appArmorProfile"):
        if context.get(kind) and context[kind].get("type") not in PROFILES:
            yield f"{place}: {kind}"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield f"{place}: hostProcess"


def _of_container(pod: Json, box: Json) -> Iterator[str]:
    place, context = box["name"], _context(box)
    yield from _of_any(place, context)
    if context.get("privileged"):
        yield f"{place}: privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{place}: allowPrivilegeEscalation"
    if context.get("procMount", "Default") != "Default":
        yield f"{place}: procMount"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield f"{place}: capabilities.drop"
    if set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        yield f"{place}: capabilities.add"
    if _settled(pod, context, "runAsNonRoot") is not True:
        yield f"{place}: runAsNonRoot"
    if not _settled(pod, context, "seccompProfile"):
        yield f"{place}: seccompProfile missing"
    if any(port.get("hostPort") for port in box.get("ports") or []):
        yield f"{place}: hostPort"
    hosts = [each for each in _handlers(box) if each.get("host")]
    if hosts:
        yield f"{place}: a probe names a host"


def _settled(pod: Json, context: Json, key: str) -> Any:
    """Give a setting of the container, or the pod's where it has none."""
    return context[key] if context.get(key) is not None else _context(pod).get(key)


def _handlers(box: Json) -> Iterator[Json]:
    """Give what the probes and the hooks of a container ask over the network."""
    hooks = (box.get("lifecycle") or {}).values()
    probes = (box.get(f"{kind}Probe") for kind in ("startup", "liveness", "readiness"))
    for each in (*hooks, *probes):
        yield from (each[kind] for kind in ("httpGet", "tcpSocket") if each and kind in each)
