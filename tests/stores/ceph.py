"""A real Ceph object gateway on the loopback, its bytes in memory.

Debian's ``ceph-mon ceph-osd radosgw ceph-common`` and root are needed. One monitor, one memstore OSD and one
gateway: up in about 15 s, 140 MB of memory. ``cephx`` stays on, because without it the gateway hangs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.running import NotStarted, Running, free_ports, listens
from tests.stores.s3_server import S3Server

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool", "ceph-authtool")
CLUSTER = "00000000-0000-4000-8000-000000000001"
USERS = ("mon.", "client.admin", "client.rgw", "osd.0")
START_S = 120


class Ceph:
    """The cluster of one folder. The folder's path has to be short: it holds sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, *self._monitor_ports = free_ports(3)
        self._conf = folder / "ceph.conf"
        self._keys = folder / "keyring"
        self._running: list[Running] = []

    def start(self) -> S3Server:
        """Start everything and return the gateway, with two users who may make buckets."""
        self._write_conf()
        for number, user in enumerate(USERS):
            self._run("ceph-authtool", self._keys, *(["--create-keyring"] if number == 0 else []),
                      "--gen-key", "-n", user, "--cap", "mon", "allow *", "--cap", "osd", "allow *")  # fmt: skip
        self._monitor()
        self._osd()
        for user in ("test", "other"):
            self._run("radosgw-admin", "user", "create", f"--uid={user}", f"--display-name={user}",
                      f"--access-key={user}", f"--secret={user}-secret")  # fmt: skip
        gateway = self._daemon("radosgw", "-n", "client.rgw")
        gateway.wait_until(lambda: listens(self.port), START_S)
        return S3Server(f"http://127.0.0.1:{self.port}", "test", "test-secret")

    def stop(self) -> None:
        for one in reversed(self._running):
            one.stop()

    def _monitor(self) -> None:
        v2, v1 = self._monitor_ports
        address = f"[v2:127.0.0.1:{v2}/0,v1:127.0.0.1:{v1}/0]"
        map_file = self.folder / "monmap"
        self._run("monmaptool", "--create", "--fsid", CLUSTER, "--addv", "a", address, map_file)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_file, "--keyring", self._keys)
        self._daemon("ceph-mon", "-i", "a").wait_until(lambda: listens(v1), START_S)

    def _osd(self) -> None:
        name = str(uuid.uuid4())
        self._run("ceph", "osd", "create", name)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", name, "--keyring", self._keys)
        osd = self._daemon("ceph-osd", "-i", "0", "--keyring", str(self._keys))
        osd.wait_until(lambda: "1 up" in self._run("ceph", "osd", "stat"), START_S)

    def _write_conf(self) -> None:
        v2, v1 = self._monitor_ports
        here = self.folder
        for name in ("mon", "osd"):
            (here / name).mkdir()
        self._conf.write_text(
            f"""
[global]
fsid = {CLUSTER}
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
mon initial members = a
keyring = {self._keys}
run dir = {here}
admin socket = {here}/$cluster-$name.asok
log file = {here}/$name.log
pid file =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 2147483648
public addr = 127.0.0.1
cluster addr = 127.0.0.1
[mon]
mon data = {here}/mon
mon data avail crit = 1
mon data avail warn = 2
[osd]
osd data = {here}/osd
osd op num shards = 1
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{self.port}
rgw thread pool size = 32
rgw enable usage log = false
rgw data = {here}
""",
            "utf-8",
        )

    def _daemon(self, program: str, *words: str) -> Running:
        command = [program, "-c", str(self._conf), *words, "-f"]
        one = Running(program, command, self.folder, {**os.environ, "CEPH_CONF": str(self._conf)})
        self._running.append(one)
        return one

    def _run(self, program: str, *words: str | Path) -> str:
        given = [] if program in ("monmaptool", "ceph-authtool") else ["-c", str(self._conf)]
        command = [program, *given, *map(str, words)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=START_S, check=False)
        if done.returncode:
            raise NotStarted(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout


@pytest.fixture(scope="session")
def ceph() -> Iterator[S3Server]:
    """The gateway of a cluster that lives as long as the tests."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"no {', '.join(missing)}: apt-get install ceph-mon ceph-osd radosgw ceph-common")
    folder = Path(tempfile.mkdtemp(prefix="ceph-"))
    cluster = Ceph(folder)
    try:
        yield cluster.start()
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ceph_other(ceph: S3Server) -> S3Server:
    """The same gateway for somebody else, who has buckets of his own and no right to those of others."""
    return S3Server(ceph.endpoint, "other", "other-secret")
