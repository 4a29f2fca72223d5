"""Checks of what lies around the process: disks, network, clock, container engines, clusters."""

from __future__ import annotations

from aictl.artifacts.quantity import rate, size
from aictl.hw.doctor.finding import Case, Finding, fails, not_applicable, numbered, passes, warns

_SLOW_MBIT = 10_000  # below this, exchanging gradients takes longer than computing them for most models
_SKEW_S = 1.0


def disk(case: Case) -> Finding:
    """The job has room where it writes."""
    here = case.facts["disks"]["here"]
    if here["free_bytes"] is None:
        return fails(f"{here['path']} does not say how much room it has", "is its file server there? `df -h` hangs too")
    free, needed = here["free_bytes"], case.disk_gib * 2**30
    message = f"{here['path']} has {size(free)} free on {here['filesystem']}"
    if free < needed:
        cure = "`aictl artifact prune` removes what nothing needs; --path names another folder"
        return fails(f"{message}, and the job needs {size(needed)}", cure)
    if here["kind"] == "rotational":
        return warns(f"{message}, a rotating disk", "reading data at random is slow on it: --path on an SSD")
    return passes(message)


def mounts(case: Case) -> Finding:
    """Every file system that is mounted answers."""
    silent = [one["mount"] for one in case.facts["disks"]["mounts"] if one.get("state") == "unanswered"]
    if silent:
        return warns(f"no answer from {', '.join(silent)}", "its server is gone: umount -l, or mount it again")
    return passes(f"{len(case.facts['disks']['mounts'])} answer")


def rdma(case: Case) -> Finding:
    """InfiniBand and RoCE ports are up."""
    ports = case.facts["network"]["rdma"]
    if not ports:
        return not_applicable("no RDMA device")
    down = [port for port in ports if port["state"] != "ACTIVE"]
    if down:
        names = ", ".join(f"{one['device']}/{one['port']} {one['state']} ({one['physical_state']})" for one in down)
        cure = "cable and switch port, a subnet manager on InfiniBand (opensm), `ip link set DEV up` on RoCE"
        return fails(f"{len(down)} of {numbered(len(ports), 'port')} down: {names}", cure)
    best = max(port["rate_gbit"] or 0 for port in ports)
    slow = [f"{one['device']}/{one['port']} {one['rate']}" for one in ports if (one["rate_gbit"] or best) < best]
    if slow:
        return warns(
            f"slower than the others: {', '.join(slow)}", "a bad cable trains down: `ibdiagnet`, `mlxlink -d DEV`"
        )
    return passes(f"{numbered(len(ports), 'port')} up at {best:g} Gbit/s")


def gpudirect(case: Case) -> Finding:
    """Network cards read a GPU's memory by themselves, without a copy through the processor."""
    if not case.facts["network"]["rdma"] or not case.gpus:
        return not_applicable("it takes NVIDIA GPUs and RDMA devices")
    loaded = [name for name, one in case.facts["network"]["direct"].items() if one["state"] == "loaded"]
    if any(name in loaded for name in ("nvidia_peermem", "nv_peer_mem")):
        return passes(", ".join(loaded))
    return warns("nvidia_peermem is not loaded", "modprobe nvidia_peermem (not needed where NCCL uses DMA-BUF)")


def network_speed(case: Case) -> Finding:
    """The network is fast enough to exchange gradients."""
    if case.purpose != "distributed":
        return not_applicable("asked with --for distributed")
    if any(port["state"] == "ACTIVE" for port in case.facts["network"]["rdma"]):
        return passes("RDMA")
    cards = [one for one in case.facts["network"]["interfaces"] if not one["virtual"] and one["state"] == "up"]
    speeds = [one["speed_mbit"] for one in cards if one["speed_mbit"]]
    if not speeds:
        return not_applicable("no network card tells its speed; `aictl hw bench` measures")
    message = f"the fastest card does {rate(max(speeds))}"
    if max(speeds) < _SLOW_MBIT:
        return warns(message, "use machines with faster links, or accumulate gradients over more steps")
    return passes(message)


def clock(case: Case) -> Finding:
    """The clock is kept right: logs, certificates and leases of several machines go by it."""
    facts = case.facts["clock"]
    if facts.get("synchronised") is None:
        return not_applicable("this system does not tell")
    cure = "start chrony or systemd-timesyncd; `timedatectl` shows its state"
    if not facts["synchronised"]:
        return warns("nothing keeps the clock right", cure)
    if facts["max_error_s"] > _SKEW_S:
        return warns(f"the clock may be wrong by {facts['max_error_s']:.1f} s", cure)
    return passes(f"right to {facts['max_error_s']:.3f} s")


def containers(case: Case) -> Finding:
    """A container engine that is installed runs, and can hand GPUs on."""
    engines = case.facts["software"]["containers"]
    toolkit = engines["nvidia_toolkit"]["state"]
    there = {name: one for name, one in engines.items() if name != "nvidia_toolkit" and one["state"] != "absent"}
    if not there:
        return not_applicable("no container engine is installed")
    running = [name for name, one in there.items() if one["state"] == "present"]
    if not running:
        name, one = next(iter(there.items()))
        cure = f"start it (systemctl start {name}), or join its group: usermod -aG {name} $USER"
        return warns(f"{name} {one['state']}: {one.get('note', '')}", cure)
    if case.gpus and toolkit == "absent":
        return warns(f"{running[0]} cannot hand GPUs on", "install nvidia-container-toolkit")
    return passes(", ".join(f"{name} {there[name]['version']}" for name in running))


def cluster(case: Case) -> Finding:
    """The cluster that kubectl means is reached."""
    found = case.facts["software"]["kubernetes"]
    if found["kubectl"] == "absent" or not found["context"]:
        return not_applicable("kubectl is not installed" if found["kubectl"] == "absent" else "kubectl has no context")
    if found["state"] == "reached":
        return passes(f"{found['context']}, {found['version']}")
    cure = "kubectl config use-context NAME names another; log in again; is its network reached?"
    return warns(f"{found['context']} {found['state']}: {found.get('note', '')}", cure)


def readable(case: Case) -> Finding:
    """What the kernel shows may be read by this user."""
    refused = case.facts["not_readable"]
    if not refused:
        return passes("all that was asked for")
    few = ", ".join(list(refused)[:3]) + (" ..." if len(refused) > 3 else "")
    return warns(f"{numbered(len(refused), 'file')} may not be read: {few}", "run it as a user who may, to know all")
