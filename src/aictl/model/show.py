"""One model as a person looks at it: what it is, its parts, what it reads, its files, and what to do with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aictl.artifacts.model import Model
from aictl.artifacts.quantity import number_shown
from aictl.core.answer import Document, Section, Table
from aictl.model.facts import facts_of
from aictl.model.uses import uses_of

FEW_LABELS, FEW_OPERATORS = 12, 10  # that are shown


def show(model: Model, *, names: Sequence[str], stale: str | None, path: Path) -> Document:
    """Raises ``Damaged`` for files that cannot be read."""
    facts = facts_of(model)
    record = model.record
    has_chat = "chat_template_characters" in facts.get("text", {})
    value: dict[str, Any] = {
        "name": model.name,
        "names": list(names),
        "kind": model.kind,
        "state": "stale" if stale else "fresh",
        **({"stale_because": stale} if stale else {}),
        "path": str(path),
        **facts,
        "metrics": dict(model.metrics),
        "files": {name: entry["size"] for name, entry in record.files.items()} if record else {},
        "uses": [
            {"command": line, "purpose": purpose}
            for line, purpose in uses_of(model.kind, model.capability, model.label, has_chat=has_chat)
        ],
    }
    return Document(value, sections=list(_sections(value)))


def _sections(value: Mapping[str, Any]) -> Iterator[Section]:
    yield Section(f"{value['kind']} '{value['name']}'", _about(value))
    if "shape" in value:
        yield Section("Shape", _flat(value["shape"]))
    if "parts" in value:
        yield Section("Parameters", _parts(value["parts"]))
    if "adapter" in value:
        yield Section("Adapter", _flat(value["adapter"]))
    if "engine" in value:
        yield Section("Engine", _flat(value["engine"]))
    if "gguf" in value:
        yield Section("GGUF", _flat(value["gguf"]))
    if "signature" in value:
        yield Section("What goes in and comes out", _signature(value["signature"]))
    if "operators" in value:
        yield Section("Operators", _first(value["operators"], FEW_OPERATORS))
    if text := dict(value.get("text", {})):
        special = text.pop("special_tokens", {})
        named = ", ".join(f"{role.removesuffix('_token')} {token}" for role, token in special.items())
        yield Section("Text", _flat(text | ({"special_tokens": named} if named else {})))
    for title, name in (("Pictures", "picture"), ("Vectors", "vector")):
        if name in value:
            yield Section(title, _flat(value[name]))
    if "labels" in value:
        shown = value["labels"][:FEW_LABELS]
        rest = len(value["labels"]) - len(shown)
        yield Section("Classes", {str(len(value["labels"])): ", ".join(shown) + (f" and {rest} more" if rest else "")})
    if value["metrics"]:
        yield Section("Figures", _flat(value["metrics"]))
    yield Section("Files", {name: f"{number_shown(length)}B" for name, length in sorted(value["files"].items())})
    yield Section("What next", Table(("command", "to"), [(one["command"], one["purpose"]) for one in value["uses"]]))


def _about(value: Mapping[str, Any]) -> dict[str, Any]:
    does = f" (a model that {value['does']})" if "does" in value else ""
    dtypes = value.get("dtypes", {})
    return {
        "can": f"{value.get('can', 'not known')}{does}",
        **{name: value[name] for name in ("architecture", "base", "layout", "opset") if name in value},
        "parameters": f"{value['parameters']:,}" if "parameters" in value else "not known",
        "precision": value.get("precision", "not known"),
        **({"numbers": ", ".join(f"{n:,} {kind}" for kind, n in dtypes.items())} if len(dtypes) > 1 else {}),
        **({"context": f"{value['context']:,} tokens"} if "context" in value else {}),
        "size": f"{number_shown(sum(value['files'].values()))}B",
        "state": value["state"] + (f": {value['stale_because']}" if "stale_because" in value else ""),
        "path": value["path"],
    }


def _parts(rows: Sequence[Mapping[str, Any]]) -> Table:
    total = sum(one["parameters"] for one in rows) or 1
    return Table(
        ("part", "copies", "parameters", "share"),
        [
            (one["name"], one["copies"], number_shown(one["parameters"]), f"{one['parameters'] / total:.1%}")
            for one in rows
        ],
    )


def _signature(sides: Mapping[str, Any]) -> Table:
    rows = [
        (side.removesuffix("s"), one["name"], one["type"], " × ".join(map(str, one["shape"])))
        for side, tensors in sides.items()
        for one in tensors
    ]
    return Table(("side", "name", "type", "shape"), rows)


def _first(counts: Mapping[str, int], few: int) -> dict[str, int]:
    rest = list(counts.items())[few:]
    return dict(list(counts.items())[:few]) | ({"others": sum(count for _, count in rest)} if rest else {})


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested values by names with spaces between them, as a person reads them."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        label = f"{before}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{label} ")
        elif isinstance(value, list | tuple):
            found[label] = ", ".join(map(str, value))
        elif isinstance(value, int) and not isinstance(value, bool) and value >= 10_000:
            found[label] = f"{value:,}"
        else:
            found[label] = value
    return found
