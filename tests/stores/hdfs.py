"""A real HDFS on the loopback: one NameNode and one DataNode of Hadoop 2.7.3.

Its jars come from two places: ``python -m tests.stores.hdfs`` takes Hadoop's own out of the source
distribution of pyspark 2.4.8 (210 MB, once) into ``hadoop/`` of this Python's environment, and Debian has the
rest: ``openjdk-17-jre-headless libjersey1-server-java libjersey1-servlet-java libjersey1-core-java
libjersey1-json-java libjsr311-api-java libcommons-daemon-java libjaxb-api-java libasm-java``. Up in about
10 s, 280 MB of memory.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.stores.running import Running, free_ports, listens

JARS = Path(sys.prefix) / "hadoop"
# Another jersey and the older JAX-RS that comes with it, and what has nothing to do with a file system.
LEFT_OUT = re.compile(
    r"(jersey-|javax\.ws\.rs|spark|scala|hive|breeze|spire|datanucleus|kubernetes|jackson-module-scala)"
)
DEBIAN = (
    "jersey1-core",
    "jersey1-json",
    "jersey1-server",
    "jersey1-servlet",
    "jsr311-api",
    "commons-daemon",
    "jaxb-api",
    "asm",
    "asm-commons",
    "asm-tree",
)
OPENED = ("java.lang", "java.nio", "java.util", "java.net", "sun.security.krb5.internal", "sun.security.krb5")
START_S = 120
_REGISTERED = "successfully registered with NN"


class Hdfs(NamedTuple):
    """Where the two protocols of one file system are spoken."""

    hdfs: str
    webhdfs: str
    environment: Mapping[str, str]


class Cluster:
    """The NameNode and the DataNode of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[Running] = []
        self._rpc, self._http, self._data, self._data_http, self._data_rpc = free_ports(5)

    def start(self) -> Hdfs:
        self._write_conf()
        self._java(
            "format", "org.apache.hadoop.hdfs.server.namenode.NameNode", "-format", "-nonInteractive"
        ).process.wait()
        name_node = self._java("namenode", "org.apache.hadoop.hdfs.server.namenode.NameNode")
        name_node.wait_until(lambda: listens(self._rpc) and listens(self._http), START_S)
        data_node = self._java("datanode", "org.apache.hadoop.hdfs.server.datanode.DataNode")
        data_node.wait_until(lambda: _REGISTERED in data_node.log.read_text("utf-8", "replace"), START_S)
        return Hdfs(
            f"hdfs://127.0.0.1:{self._rpc}",
            f"webhdfs://127.0.0.1:{self._http}",
            {"HADOOP_USER_NAME": "test", "HADOOP_CONF_DIR": str(self.folder / "conf")},
        )

    def stop(self) -> None:
        for one in reversed(self._running):
            one.stop()

    def _java(self, name: str, *words: str) -> Running:
        jars = [str(path) for path in sorted(JARS.glob("*.jar"))]
        jars += [f"/usr/share/java/{one}.jar" for one in DEBIAN]
        opened = [f"--add-opens=java.base/{one}=ALL-UNNAMED" for one in OPENED if one.startswith("java.")]
        opened += [f"--add-opens=java.security.jgss/{one}=ALL-UNNAMED" for one in OPENED if one.startswith("sun.")]
        opened += [f"--add-exports=java.security.jgss/{one}=ALL-UNNAMED" for one in OPENED if one.startswith("sun.")]
        classpath = ":".join([str(self.folder / "conf"), *jars])
        command = ["java", "-Xmx256m", *opened, "-cp", classpath, f"-Dhadoop.log.dir={self.folder}", *words]
        one = Running(name, command, self.folder, {**os.environ, "HADOOP_USER_NAME": "test"})
        self._running.append(one)
        return one

    def _write_conf(self) -> None:
        conf = self.folder / "conf"
        for name in ("hdfs", "datanode"):
            place = conf / "webapps" / name / "WEB-INF"
            place.mkdir(parents=True)
            (place / "web.xml").write_text("<web-app/>\n")
        here = "127.0.0.1"
        settings = {
            "fs.defaultFS": f"hdfs://{here}:{self._rpc}",
            "dfs.namenode.http-address": f"{here}:{self._http}",
            "dfs.namenode.secondary.http-address": f"{here}:0",
            "dfs.datanode.address": f"{here}:{self._data}",
            "dfs.datanode.http.address": f"{here}:{self._data_http}",
            "dfs.datanode.ipc.address": f"{here}:{self._data_rpc}",
            "dfs.datanode.hostname": here,
            "dfs.namenode.name.dir": f"file://{self.folder}/name",
            "dfs.datanode.data.dir": f"file://{self.folder}/data",
            "dfs.namenode.datanode.registration.ip-hostname-check": "false",
            "dfs.namenode.safemode.extension": "0",
            "dfs.namenode.fs-limits.min-block-size": "1048576",
            "dfs.permissions.enabled": "true",  # and who starts it, "test", may do everything
            "dfs.replication": "1",
            "dfs.webhdfs.enabled": "true",
        }
        rows = "".join(
            f"<property><name>{name}</name><value>{value}</value></property>" for name, value in settings.items()
        )
        for name in ("core-site.xml", "hdfs-site.xml"):
            (conf / name).write_text(f"<configuration>{rows}</configuration>\n")
        log4j = "log4j.rootLogger=INFO,console\nlog4j.appender.console=org.apache.log4j.ConsoleAppender\n"
        (conf / "log4j.properties").write_text(
            log4j + "log4j.appender.console.layout=org.apache.log4j.PatternLayout\n"
            "log4j.appender.console.layout.ConversionPattern=%d %p %c{1}: %m%n\n"
        )


def missing() -> str:
    """What has to be installed before HDFS can be started, or nothing."""
    if shutil.which("java") is None:
        return "no java: apt-get install openjdk-17-jre-headless"
    if lacking := [one for one in DEBIAN if not Path(f"/usr/share/java/{one}.jar").exists()]:
        return f"no {lacking[0]}.jar: apt-get install the packages that tests/stores/hdfs.py names"
    if not any(JARS.glob("hadoop-hdfs-*.jar")):
        return "no Hadoop: python -m tests.stores.hdfs"
    return ""


@pytest.fixture(scope="session")
def hdfs() -> Iterator[Hdfs]:
    """A file system that lives as long as the tests."""
    if reason := missing():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="hdfs-"))
    cluster = Cluster(folder)
    try:
        yield cluster.start()
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def install() -> None:
    """Fetch Hadoop's jars into ``JARS``."""
    with tempfile.TemporaryDirectory() as place:
        # Its setup.py is of 2021: newer setuptools refuse it.
        limits = Path(place, "limits.txt")
        limits.write_text("setuptools<75\npypandoc<1.8\n")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary=pyspark",
            "pyspark==2.4.8",
        ]
        env = {**os.environ, "PIP_CONSTRAINT": str(limits), "PIP_BUILD_CONSTRAINT": str(limits)}
        subprocess.run([*command, "--dest", place], check=True, env=env)
        (archive,) = Path(place).glob("pyspark-*.tar.gz")
        draft = JARS.with_name("hadoop.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        with tarfile.open(archive) as files:
            for entry in files:
                name = Path(entry.name).name
                source = files.extractfile(entry) if "/deps/jars/" in entry.name and name.endswith(".jar") else None
                if source and not LEFT_OUT.match(name):
                    (draft / name).write_bytes(source.read())
        shutil.rmtree(JARS, ignore_errors=True)
        draft.rename(JARS)


if __name__ == "__main__":
    install()
