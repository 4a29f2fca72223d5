"""Templates: folders with a ``copier.yml``, shipped with the package or the user's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import aictl
from aictl.core.errors import BadInput, NotFound

_QUESTIONS = ("copier.yml", "copier.yaml")
_NOT_CONTENT = ("__pycache__", ".git", ".DS_Store")


@dataclass(frozen=True)
class Template:
    """A template as it was asked for, and the digest of its files."""

    text: str
    folder: Path
    digest: str

    @property
    def name(self) -> str:
        return self.folder.resolve().name


def find(text: str, wanted: str | None = None) -> Template:
    """The template of a name or a folder; with a digest ``wanted``, those very files or none.

    Raises :class:`NotFound` with the names there are, and :class:`BadInput` if the files are not
    those of the digest.
    """
    folder = shipped().get(text) or Path(text).expanduser()
    if not any((folder / one).is_file() for one in _QUESTIONS):
        raise NotFound(
            f"no template is called '{text}'; there are {', '.join(shipped())}",
            cure="name one of those, or a folder with a copier.yml",
        )
    digest = _digest(folder)
    if wanted and wanted != digest:
        raise BadInput(
            f"template '{text}' has sha256 {digest}, and {wanted} was asked for",
            cure="look at what changed in it, and ask for that digest or for none",
        )
    return Template(text, folder, digest)


def shipped() -> dict[str, Path]:
    """The templates that come with the package, by name: inside it when it is installed, beside
    its sources in a checkout."""
    package = Path(aictl.__file__).parent
    root = next((one for one in (package / "templates", package.parents[1] / "templates") if one.is_dir()), None)
    if root is None:
        return {}
    return {one.name: one for one in sorted(root.iterdir()) if any((one / name).is_file() for name in _QUESTIONS)}


def _digest(folder: Path) -> str:
    """Hash of a template's relative paths and bytes, whether a file may be executed included."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if not path.is_file() or path.suffix == ".pyc" or any(part in _NOT_CONTENT for part in relative.parts):
            continue
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}") from error
        whole.update(f"{relative.as_posix()}\0{bool(path.stat().st_mode & 0o100)}\0{content}\n".encode())
    return whole.hexdigest()
