from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from aictl.core.errors import BadRequest, MachineLacks, WorkFailed
from aictl.training.clusters.submit import submit
from aictl.training.clusters.words import job_name, there, without
from aictl.training.spec import ClusterSpec, ParallelSpec

KUBERNETES = "1.34"
WORDS = ["train", "notes", "--name", "My_Model", "--on", "k8s", "--image=registry/aictl:1", "--nnodes=4", "--apply"]


def made(on: str, **options: object) -> dict[str, object]:
    parallel = ParallelSpec(nnodes=str(options.pop("nnodes", "4")))
    cluster = ClusterSpec(**{"on": on, "image": "registry/aictl:1", **options})
    answer = submit(cluster, parallel, WORDS)
    assert answer.text is not None
    return yaml.safe_load(answer.text)


def test_the_words_say_what_is_to_be_done_and_no_longer_where():
    assert there(WORDS, {"--nproc": "8"}) == ["train", "notes", "--name", "My_Model", "--nproc", "8"]
    assert without(["--a", "1", "--b", "--a=2", "c"], {"--a": True, "--b": False}) == ["c"]


def test_a_place_from_the_settings_is_not_taken_again_there():
    assert there(["train", "notes"], {}) == ["train", "notes", "--on", "here"]


@pytest.mark.parametrize(
    ("words", "given", "name"),
    [
        (WORDS, None, "aictl-my-model"),
        (["train", "notes"], None, "aictl-train"),
        (WORDS, "9 Lives!", "lives"),
        (["train", "--name=ü"], None, "aictl"),
        (["train"], "x" * 40, "x" * 40),
    ],
)
def test_a_job_has_a_name_that_dns_takes(words, given, name):
    assert job_name(words, given) == name


def test_a_jobset_holds_a_job_that_kubernetes_takes():
    manifest = made("k8s", gpus_per_node=8, namespace="research", volume_claim="claim")
    assert (manifest["apiVersion"], manifest["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    assert manifest["metadata"] == {"name": "aictl-my-model", "namespace": "research"}
    (node,) = manifest["spec"]["replicatedJobs"]
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, **node["template"]}
    kubernetes_validate.validate(job, KUBERNETES, strict=True)
    assert job["spec"]["parallelism"] == job["spec"]["completions"] == 4
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": 8}}
    command = container["command"]
    assert command[:5] == ["aictl", "train", "notes", "--name", "My_Model"]
    options = dict(zip(command[5::2], command[6::2], strict=True))
    assert options == {"--nproc": "8", "--nnodes": "4", "--rdzv": "aictl-my-model-node-0-0.aictl-my-model:29400"}
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "claim"}
    assert container["env"] == [{"name": "AICTL_WORKSPACE", "value": container["volumeMounts"][0]["mountPath"]}]


def test_the_schema_is_looked_at():
    (node,) = made("k8s")["spec"]["replicatedJobs"]
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, **node["template"]}
    job["spec"]["template"]["spec"]["containers"][0]["comand"] = ["x"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, KUBERNETES, strict=True)


def test_machines_that_may_be_lost_are_started_again():
    (node,) = made("k8s", nnodes="1:4")["spec"]["replicatedJobs"]
    assert node["template"]["spec"]["parallelism"] == 4
    assert node["template"]["spec"]["backoffLimit"] == 12
    (node,) = made("k8s")["spec"]["replicatedJobs"]
    assert node["template"]["spec"]["backoffLimit"] == 0


def test_a_trainjob_is_run_by_torchrun_on_each_machine():
    manifest = made("kubeflow", gpus_per_node=2)
    assert (manifest["apiVersion"], manifest["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    trainer = manifest["spec"]["trainer"]
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (4, 2)
    assert trainer["command"][:5] == ["torchrun", "--max-restarts", "0", "-m", "aictl"]
    assert "--rdzv" not in trainer["command"]
    (patch,) = manifest["spec"]["runtimePatches"]
    (node,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **node["template"]["spec"]["template"]}
    pod["spec"]["containers"][0]["image"] = trainer["image"]
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)


@pytest.mark.parametrize("nnodes", ["1", "4", "2:4"])
def test_a_batch_script_is_a_shell_script_that_runs_the_command(tmp_path, monkeypatch, nnodes):
    """Run by bash, with programs in the place of Slurm's that do what those do with one machine."""
    folder = tmp_path / "work space"
    folder.mkdir()
    monkeypatch.chdir(folder)
    cluster = ClusterSpec(on="slurm", gpus_per_node=2, partition="gpu", time_limit="1-12:00:00")
    text = submit(cluster, ParallelSpec(nnodes=nnodes), ["train", "no tes", "--name", "it's"]).text or ""
    lines = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH")]
    assert f"--nodes={nnodes.replace(':', '-')}" in lines
    assert {"--gpus-per-node=2", "--partition=gpu", "--time=1-12:00:00", "--requeue"} < set(lines)
    program(tmp_path / "srun", 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"')
    program(tmp_path / "scontrol", "echo first; seq 100000")  # more than a pipe holds
    program(tmp_path / "aictl", 'pwd; printf "%s\\n" "$@"')
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "70123", "SLURM_NNODES": "3"}
    done = subprocess.run(
        ["bash", "-s"],
        input=text,
        env=environment | {"SLURM_JOB_NODELIST": "x"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    where, *words = done.stdout.splitlines()
    assert Path(where) == folder
    assert words[:4] == ["train", "no tes", "--name", "it's"]
    options = words[words.index("--nproc") :]
    meeting = {"1": [], "4": ["--nnodes", "4"], "2:4": ["--nnodes", "2:3"]}[nnodes]
    assert options == ["--nproc", "2", *meeting, *(["--rdzv", "first:20123"] if meeting else [])]


def test_it_is_handed_in_and_what_the_cluster_says_is_the_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program(tmp_path / "kubectl", f"cat > {shlex.quote(str(tmp_path / 'given'))}; echo jobset/$1 created")
    answer = submit(ClusterSpec(on="k8s", image="x", apply=True), ParallelSpec(), WORDS)
    assert answer.text == "jobset/create created"
    assert yaml.safe_load((tmp_path / "given").read_text())["kind"] == "JobSet"
    program(tmp_path / "sbatch", "echo 'no such partition' >&2; exit 1")
    with pytest.raises(WorkFailed, match="sbatch refused: no such partition"):
        submit(ClusterSpec(on="slurm", apply=True), ParallelSpec(), WORDS)


def test_what_is_missing_is_told(monkeypatch, tmp_path):
    with pytest.raises(BadRequest, match="needs an image"):
        submit(ClusterSpec(on="k8s"), ParallelSpec(), WORDS)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineLacks, match="sbatch is not installed"):
        submit(ClusterSpec(on="slurm", apply=True), ParallelSpec(), WORDS)


def test_the_command_line_prints_it(project, aictl):
    notes = project.root / "notes"
    notes.mkdir()
    for number in range(5):
        (notes / f"{number}.txt").write_text(
            f"The house number {number} of the street is the one in which we live. " * 3
        )
    assert aictl("data", "prep", "notes", "--name", "notes", cwd=project.root).returncode == 0
    words = ["train", "notes", "--name", "m", "--nnodes", "2", "--image", "x"]
    done = aictl(*words, "--on", "k8s", cwd=project.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout)["kind"] == "JobSet"
    done = aictl(*words, "--on", "slurm", "--json", cwd=project.root)
    assert json.loads(done.stdout)["script"].startswith("#!/bin/bash\n#SBATCH --job-name=aictl-m\n")


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
