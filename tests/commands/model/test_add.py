"""model add as it is typed."""

from __future__ import annotations

import pytest


@pytest.mark.slow  # a process that imports torch
def test_a_folder_is_brought_in_where_home_takes_no_files(aictl, project, chat_model):
    settings = {"HOME": "/sys", "AICTL_CACHE": "", "XDG_CACHE_HOME": ""}
    result = aictl("model", "add", chat_model.folder, "--name", "tiny", cwd=project.root, env=settings)
    assert result.returncode == 0, result.stderr
    assert (project.root / "artifacts/checkpoint/tiny@1/model.safetensors").is_file()
