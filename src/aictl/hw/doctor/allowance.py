"""Checks of what a process is allowed: memory, processors, open files, locked and shared memory."""

from __future__ import annotations

from aictl.artifacts.quantity import size
from aictl.hw.doctor.finding import Case, Finding, fails, not_applicable, numbered, passes, warns
from aictl.hw.limits import UNLIMITED

_SHARED_ENOUGH = 2**30  # data loaders hand over batches, and NCCL buffers, through shared memory
_SHARED_LEAST = 128 * 2**20  # docker gives 64 MiB unless told otherwise
_FILES_ENOUGH, _FILES_LEAST = 4096, 1024
_LOCKED_ENOUGH = 2**30
_NEAR = 0.9  # of what there is: a limit above it takes nothing away


def shared_memory(case: Case) -> Finding:
    """/dev/shm has room for batches and buffers on their way between processes."""
    mount = next((one for one in case.facts["disks"]["mounts"] if one["mount"] == "/dev/shm"), None)
    if mount is None or mount["total_bytes"] is None:
        return not_applicable("there is no /dev/shm to look at")
    total, free = mount["total_bytes"], mount["free_bytes"]
    message = f"/dev/shm has {size(free)} free of {size(total)}"
    cure = "docker run --ipc=host or --shm-size=8g; in a pod, an emptyDir of medium Memory on /dev/shm"
    if total < _SHARED_LEAST:
        return fails(message, cure)
    if free < _SHARED_ENOUGH:
        return warns(message, cure if total < _SHARED_ENOUGH else "remove what was left there: ls -la /dev/shm")
    return passes(message)


def open_files(case: Case) -> Finding:
    """Enough files and connections may be open at once."""
    limit = case.facts["limits"]["ulimits"].get("open_files")
    if limit is None:
        return not_applicable("this system does not tell")
    soft, hard = limit["soft"], limit["hard"]
    more = f"ulimit -n {65536 if hard == UNLIMITED else min(hard, 65536)}"
    if hard != UNLIMITED and hard < _FILES_ENOUGH:
        more = "raise nofile in /etc/security/limits.conf, or LimitNOFILE= of the service"
    if soft == UNLIMITED or soft >= _FILES_ENOUGH:
        return passes("no limit" if soft == UNLIMITED else f"{soft} open files")
    return (fails if soft < _FILES_LEAST else warns)(f"only {soft} open files", more)


def locked_memory(case: Case) -> Finding:
    """RDMA registers memory, which must not be swapped: it has to be allowed to lock it."""
    if not case.facts["network"]["rdma"]:
        return not_applicable("no RDMA device")
    limit = case.facts["limits"]["ulimits"].get("locked_bytes")
    if limit is None:
        return not_applicable("this system does not tell")
    if limit["soft"] == UNLIMITED or limit["soft"] >= _LOCKED_ENOUGH:
        return passes("no limit" if limit["soft"] == UNLIMITED else size(limit["soft"]))
    return fails(
        f"only {size(limit['soft'])} may be locked, and RDMA registers whole buffers",
        "ulimit -l unlimited: memlock in /etc/security/limits.conf; docker run --ulimit memlock=-1",
    )


def memory_limit(case: Case) -> Finding:
    """The control group allows the memory that the machine has."""
    memory = case.facts["memory"]
    limit, total = memory["limit_bytes"], memory["total_bytes"]
    if not limit or not total or limit >= total * _NEAR:
        return passes(f"all of {size(total)}" if total else "no limit")
    cure = "raise resources.limits.memory of the pod, docker run --memory, or MemoryMax= of the service"
    return warns(f"{size(limit)} of the machine's {size(total)}: what goes beyond is killed", cure)


def processor_limit(case: Case) -> Finding:
    """This process may use all processors."""
    cpu = case.facts["cpu"]
    usable, threads, quota = cpu["usable_threads"], cpu["threads"], cpu["quota_cpus"]
    if usable >= threads and (quota is None or quota >= threads * _NEAR):
        return passes(f"all {numbered(threads, 'thread')}")
    told = f"a quota of {quota:g} cpus" if quota else "its affinity"
    cure = "raise resources.limits.cpu of the pod or docker run --cpus; threads beyond a quota only wait"
    return warns(f"{numbered(usable, 'thread')} of {threads} ({told})", cure)


def swap(case: Case) -> Finding:
    """What a job works on is not swapped out."""
    memory = case.facts["memory"]
    total, free = memory["swap_bytes"], memory["swap_free_bytes"]
    if not total:
        return passes("none")
    used = total - (free or 0)
    if used > 0.1 * total and used > 2**28:
        return warns(
            f"{size(used)} of {size(total)} in use: memory is short", "end what is not needed, or use less memory"
        )
    return passes(f"{size(used)} of {size(total)} in use")


def huge_pages(case: Case) -> Finding:
    """Large tensors may lie in huge pages, which the processor finds faster."""
    pages = case.facts["memory"]["transparent_huge_pages"]
    if pages is None:
        return not_applicable("this kernel does not tell")
    if pages == "never":
        return warns("transparent huge pages are off", "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled")
    return passes(pages)


def governor(case: Case) -> Finding:
    """The processor runs at the speed that it can."""
    name = case.facts["cpu"]["governor"]
    if name is None:
        return not_applicable("the clock is not this system's to set")
    if name in ("powersave", "conservative", "userspace"):
        return warns(f"the governor is {name}", "cpupower frequency-set -g performance")
    return passes(name)
