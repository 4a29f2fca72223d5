"""Container engines and the Kubernetes cluster that this machine's user would reach.

Their programs are asked, each with a time limit: a daemon that hangs or a cluster that is gone is
reported as unanswered.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from aictl.hw.files import read, there
from aictl.hw.limited import Asked, Reply

_ENGINES = {
    "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
    "podman": ("podman", "version", "--format", "{{.Client.Version}}"),
    "nerdctl": ("nerdctl", "version", "--format", "{{.Server.Version}}"),
    "apptainer": ("apptainer", "version"),
}
_IN_CLUSTER = "var/run/secrets/kubernetes.io/serviceaccount/namespace"


def ask(timeout_s: float) -> dict[str, Asked]:
    """Begin to ask every program that is installed."""
    asked = {name: Asked(words, timeout_s) for name, words in _ENGINES.items() if shutil.which(name)}
    if shutil.which("kubectl") and context():
        seconds = max(1, int(timeout_s) - 1)
        words = ["kubectl", "get", "--raw", "/version", f"--request-timeout={seconds}s"]
        asked["kubectl"] = Asked(words, timeout_s)
    return asked


def facts(replies: dict[str, Reply], root: Path = Path("/")) -> dict[str, Any]:
    """``{"containers": {...}, "kubernetes": {...}}``; an engine that is not installed is ``absent``."""
    engines = {name: _engine(replies.get(name)) for name in _ENGINES}
    toolkit = shutil.which("nvidia-ctk") or shutil.which("nvidia-container-cli")
    return {
        "containers": {**engines, "nvidia_toolkit": {"state": "present" if toolkit else "absent"}},
        "kubernetes": _kubernetes(replies.get("kubectl"), root),
    }


def context() -> str | None:
    """The current context of the user's kubeconfig, read without starting anything."""
    named = os.environ.get("KUBECONFIG")
    files = named.split(os.pathsep) if named else [str(Path.home() / ".kube/config")]
    for name in files:
        found = re.search(r"^current-context:[ \t]*[\"']?([^\"'\s]+)", read(Path(name)) or "", re.MULTILINE)
        if found:
            return found[1]
    return None


def _engine(reply: Reply | None) -> dict[str, Any]:
    if reply is None or reply.state == "absent":
        return {"state": "absent"}
    if reply.state == "answered":
        return {"state": "present", "version": reply.said.strip()}
    return {"state": "unanswered" if reply.state == "unanswered" else "not running", "note": reply.reason}


def _kubernetes(reply: Reply | None, root: Path) -> dict[str, Any]:
    program = shutil.which("kubectl")
    found: dict[str, Any] = {
        "kubectl": "present" if program else "absent",
        "context": context(),
        "inside": there(root / _IN_CLUSTER),
        "namespace": read(root / _IN_CLUSTER),
        "state": "absent",
    }
    if reply is None:
        return found
    if reply.state != "answered":
        state = "unanswered" if reply.state == "unanswered" else "not reached"
        return {**found, "state": state, "note": reply.reason}
    version = re.search(r'"gitVersion":\s*"([^"]+)"', reply.said)
    return {**found, "state": "reached", "version": version[1] if version else None}
