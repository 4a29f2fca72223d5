"""Manifests for Kubernetes: a JobSet of its own (https://jobset.sigs.k8s.io), or a TrainJob for Kubeflow Trainer
(https://www.kubeflow.org/docs/components/trainer), whose runtime is torch's.

Either mounts the claim that holds the workspace on every machine. In a JobSet the machines meet at the first pod, which
has a name of its own there; in a TrainJob the runtime says where, in the environment of ``torchrun``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aictl.training.clusters.words import job_name, there
from aictl.training.ranks.launch import GRACE_S, restarts_of
from aictl.training.ranks.team import nodes_of
from aictl.training.spec import ClusterSpec, ParallelSpec

WORKSPACE = "/workspace"
PORT = 29_400
RUNTIME = "torch-distributed"


def jobset(cluster: ClusterSpec, parallel: ParallelSpec, words: Sequence[str]) -> dict[str, Any]:
    """A JobSet with a pod for each machine."""
    name = job_name(words, cluster.job_name)
    _, most = nodes_of(parallel)
    options = {"--nproc": processes(cluster, parallel)}
    if most > 1:
        options |= {"--nnodes": parallel.nnodes, "--rdzv": f"{name}-node-0-0.{name}:{PORT}"}
    container = {
        "name": "node",
        "image": cluster.image,
        "command": ["aictl", *there(words, options)],
        "workingDir": WORKSPACE,
        "env": [_WHERE],
        "ports": [{"containerPort": PORT}],
        "resources": _resources(cluster),
        "volumeMounts": _MOUNTS,
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_S + 30,
        "containers": [container],
        "volumes": _volumes(cluster),
    }
    job = {
        "completionMode": "Indexed",
        "parallelism": most,
        "completions": most,
        # A pod that was lost is started again, and its machine joins those that went on without it.
        "backoffLimit": restarts_of(parallel) * most,
        "template": {"spec": pod},
    }
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": _metadata(cluster, name),
        "spec": {
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "failurePolicy": {"maxRestarts": restarts_of(parallel)},
            "replicatedJobs": [{"name": "node", "replicas": 1, "template": {"spec": job}}],
        },
    }


def trainjob(cluster: ClusterSpec, parallel: ParallelSpec, words: Sequence[str]) -> dict[str, Any]:
    """A TrainJob of Kubeflow Trainer, which has no range of machines: it takes the most."""
    _, most = nodes_of(parallel)
    name = job_name(words, cluster.job_name)
    restarts = ["--max-restarts", str(restarts_of(parallel))]
    trainer = {
        "image": cluster.image,
        "command": ["torchrun", *restarts, "-m", "aictl", *there(words, {})],
        "env": [_WHERE],
        "numNodes": most,
        "numProcPerNode": int(processes(cluster, parallel)),
        "resourcesPerNode": _resources(cluster),
    }
    pod = {"volumes": _volumes(cluster), "containers": [{"name": "node", "volumeMounts": _MOUNTS}]}
    node = {"name": "node", "template": {"spec": {"template": {"spec": pod}}}}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": _metadata(cluster, name),
        "spec": {
            "runtimeRef": {"name": RUNTIME},
            "trainer": trainer,
            "runtimePatches": [
                {
                    "manager": "aictl/train",
                    "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [node]}}},
                }
            ],
        },
    }


def processes(cluster: ClusterSpec, parallel: ParallelSpec) -> str:
    """Processes on each machine: one for each of its GPUs, unless told otherwise."""
    asked = parallel.nproc if parallel.nproc not in ("auto", "1") else None
    return asked or str(max(1, cluster.gpus_per_node))


_WHERE = {"name": "AICTL_WORKSPACE", "value": WORKSPACE}
# Processes on one machine pass tensors through shared memory, of which a container has 64 MB otherwise.
_MOUNTS = [{"name": "workspace", "mountPath": WORKSPACE}, {"name": "memory", "mountPath": "/dev/shm"}]


def _volumes(cluster: ClusterSpec) -> list[dict[str, Any]]:
    return [
        {"name": "workspace", "persistentVolumeClaim": {"claimName": cluster.volume_claim}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
    ]


def _resources(cluster: ClusterSpec) -> dict[str, Any]:
    return {"limits": {"nvidia.com/gpu": cluster.gpus_per_node}} if cluster.gpus_per_node else {}


def _metadata(cluster: ClusterSpec, name: str) -> dict[str, str]:
    return {"name": name} | ({"namespace": cluster.namespace} if cluster.namespace else {})
