"""hf: sources, against a server on loopback that speaks as much of the hub's API as is asked of it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aictl.core.errors import BadRequest, TryLater
from aictl.core.events import silent
from aictl.workspace.digests import sha256
from aictl.workspace.sources import resolve

pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"a pickle",
    "modeling_x.py": b"code",
}


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/org/name"):
            files = [{"rfilename": name, "size": len(data)} for name, data in FILES.items()]
            tree = [{"type": "file", "path": name, "size": len(data), "oid": "0"} for name, data in FILES.items()]
            info = {"id": "org/name", "sha": COMMIT, "siblings": files, "private": False, "tags": [], "downloads": 0}
            if "/revision/nothing" in path:
                return self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return self.answer(200, json.dumps(tree if "/tree/" in path else info).encode())
        if path.startswith(f"/org/name/resolve/{COMMIT}/"):
            name = path.rpartition("/")[2]
            self.server.sent.append(name)
            data = FILES[name]
            tag = hashlib.sha1(data).hexdigest()
            return self.answer(200, data, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})
        return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.sent = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


SCRIPT = """
import json, sys
from pathlib import Path
from aictl.core.errors import AictlError
from aictl.core.events import silent
from aictl.workspace.digests import sha256
from aictl.workspace.sources import resolve
try:
    source = resolve(sys.argv[1], cache=Path("unused"), hash_file=sha256, events=silent)
    print(json.dumps({"digest": source.digest, "facts": dict(source.facts), "path": str(source.path)}))
except AictlError as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
"""


@pytest.fixture
def ask(hub, tmp_path):
    """Resolve in a process of its own: the library reads its settings when it is imported."""

    def run(text, **environment):
        settings = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(tmp_path / "hf")}
        settings |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1", **environment}
        result = subprocess.run(
            [sys.executable, "-c", SCRIPT, text],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return json.loads(result.stdout)

    return run


def test_a_revision_is_resolved_to_a_commit_and_only_safe_files_come(ask, hub):
    got = ask("hf:org/name@main")
    assert got["facts"] == {"repo": "org/name", "repo_type": "model", "revision": "main", "commit": COMMIT}
    assert sorted(path.name for path in Path(got["path"]).iterdir()) == ["config.json", "model.safetensors"]
    assert not {"pytorch_model.bin", "modeling_x.py"} & set(hub.sent)


def test_a_commit_that_was_fetched_needs_no_network(ask):
    first = ask("hf:org/name")
    again = ask(f"hf:org/name@{COMMIT}", HF_HUB_OFFLINE="1")
    assert again["digest"] == first["digest"]


def test_unknown_repositories_and_revisions_are_not_found(ask):
    assert ask("hf:org/missing")["error"] == "NotFound"
    assert ask("hf:org/name@nothing")["error"] == "NotFound"


def test_a_hub_that_cannot_be_reached_is_try_later(ask):
    assert ask("hf:org/name", HF_ENDPOINT="http://127.0.0.1:9")["error"] == "TryLater"


def test_a_cache_that_cannot_be_written_is_what_this_machine_lacks(ask):
    got = ask("hf:org/name", HF_HOME="/sys/aictl-test")  # where nobody makes a folder
    assert got["error"] == "MachineLacks" and "cannot be kept" in got["message"]


def test_offline_is_try_later(tmp_path):
    with pytest.raises(TryLater, match="cannot be reached") as caught:
        resolve("hf:org/name", cache=tmp_path, hash_file=sha256, events=silent)
    assert "local folder" in caught.value.cure


@pytest.mark.parametrize("text", ["hf:", "hf:a/b/c/d", "hf:org/name@", "hf:org name"])
def test_what_is_no_repository_is_refused(tmp_path, text):
    with pytest.raises(BadRequest, match="not of the form"):
        resolve(text, cache=tmp_path, hash_file=sha256, events=silent)
