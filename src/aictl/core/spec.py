"""Spec: the settings of one operation, each option declared once.

One pydantic field gives the command-line option, the ``aictl.toml`` key, the environment
variable, the Python argument and the entry in the artifact's record::

    class PrepSpec(Spec):
        min_chars: int = option(32, ge=0, help="drop documents shorter than this many characters")

Fields are scalars, enums or literals, paths, lists of those, and one level of nested Specs,
whose options are flattened beside the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


class Spec(BaseModel):
    """Base of every operation's settings: frozen, and an unknown option is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def option(
    default: Any = PydanticUndefined,
    *,
    help: str,
    positional: bool = False,
    affects_result: bool = True,
    rest: bool = False,
    ref: bool = False,
    short: str | None = None,
    **bounds: Any,
) -> Any:
    """Declare one option of a :class:`Spec`.

    ``positional`` makes it an argument that follows the command's inputs. ``affects_result`` is
    False for options that change how the work is done and not what comes out (worker counts,
    how often to save): they are recorded but do not enter the artifact's key. ``rest`` makes a list
    take everything that follows its flag: another program's command line. ``ref`` says that the
    value names an artifact, and so may be ``-``, for one that stdin names. ``short`` is a letter by which
    it is known too, where every other program has it so: ``-n 10``. ``bounds`` are pydantic's own (``ge``,
    ``gt``, ``le``, ``lt``, ``min_length``, ``pattern``).
    """
    extra: Any = {"positional": positional, "affects_result": affects_result, "rest": rest, "ref": ref, "short": short}
    return Field(default, description=help, json_schema_extra=extra, **bounds)


def comma_separated(value: Any) -> Any:
    """For a validator of a list of words: ``a,b`` is two of them."""
    words = [value] if isinstance(value, str) else value
    if isinstance(words, list | tuple) and all(isinstance(word, str) for word in words):
        return [part.strip() for word in words for part in word.split(",") if part.strip()]
    return value


def _flag(field: FieldInfo, name: str, default: bool) -> bool:
    extra = field.json_schema_extra
    return bool(extra.get(name, default)) if isinstance(extra, dict) else default


def is_positional(field: FieldInfo) -> bool:
    return _flag(field, "positional", False)


def affects_result(field: FieldInfo) -> bool:
    return _flag(field, "affects_result", True)


def takes_rest(field: FieldInfo) -> bool:
    return _flag(field, "rest", False)


def is_ref(field: FieldInfo) -> bool:
    return _flag(field, "ref", False)


def short_of(field: FieldInfo) -> str | None:
    """The letter by which an option is known too."""
    extra = field.json_schema_extra
    letter = extra.get("short") if isinstance(extra, dict) else None
    return letter if isinstance(letter, str) else None


def nested(field: FieldInfo) -> type[Spec] | None:
    """The Spec that a field nests, or None for a plain option."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Spec) else None


def flat_fields(spec: type[Spec]) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every option of a spec with its path: ``("seed",)`` or ``("optimizer", "learning_rate")``.

    Raises ``TypeError`` when a nested option has the name of another: a mistake of whoever wrote
    the Spec.
    """
    seen: set[str] = set()
    for name, field in spec.model_fields.items():
        inner = nested(field)
        rows = [((name, n), f) for n, f in inner.model_fields.items()] if inner else [((name,), field)]
        for path, leaf in rows:
            if path[-1] in seen:
                raise TypeError(f"{spec.__name__}: option '{path[-1]}' is declared twice")
            seen.add(path[-1])
            yield path, leaf


def flat_values(spec: Spec) -> dict[str, Any]:
    """Every option's value by flat name, as JSON values."""
    values = spec.model_dump(mode="json")
    found = {}
    for path, _ in flat_fields(type(spec)):
        value: Any = values
        for step in path:
            value = value[step]
        found[path[-1]] = value
    return found


def result_options(spec: Spec) -> dict[str, Any]:
    """The options that enter the artifact's key, as JSON values by flat name."""
    values = flat_values(spec)
    return {path[-1]: values[path[-1]] for path, field in flat_fields(type(spec)) if affects_result(field)}
