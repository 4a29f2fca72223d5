"""The documentation inside Python source: each docstring under its qualified name and signature.

The source is parsed and never imported. A module that is one literal dictionary of long strings, as
``pydoc_data.topics`` is, gives one document per entry.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from aictl.data.decode import whole_bytes
from aictl.data.documents import Document, InputFile, Items, Reading, Unreadable

MAX_SIGNATURE_CHARS = 400
LONG_STRING_CHARS = 200  # mean length from which a dictionary's strings are documents, not settings

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def read(file: InputFile, reading: Reading) -> Items:
    """Yield one document per docstring, or per entry. Raises :class:`Unreadable` at a syntax error."""
    source = whole_bytes(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an invalid escape in somebody's string
            module = ast.parse(source, filename=file.name)
    except SyntaxError as error:
        raise Unreadable("not valid Python", error.msg, error.lineno) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable("not valid Python", str(error) or type(error).__name__) from None
    entries = _entries(module)
    for name, text in entries if entries else _docstrings(module, _module_name(file)):
        yield Document(f"{file.name}:{name}" if name else file.name, text)


def _module_name(file: InputFile) -> str:
    name = file.name.removesuffix(".gz").removesuffix(".py").removesuffix("/__init__")
    return name.replace("/", ".")


def _entries(module: ast.Module) -> list[tuple[str, str]]:
    """Keys and strings, if the module is one dictionary of long strings."""
    found: list[tuple[str, str]] = []
    for statement in module.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        if found or not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Dict):
            return []
        for key, value in zip(statement.value.keys, statement.value.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(value, ast.Constant):
                return []
            if not isinstance(key.value, str) or not isinstance(value.value, str):
                return []
            found.append((key.value, value.value))
    return found if sum(len(text) for _, text in found) >= LONG_STRING_CHARS * len(found) else []


def _docstrings(module: ast.Module, name: str) -> Iterator[tuple[str, str]]:
    """``(qualified name inside the module, text)`` in the order of the source."""
    if text := ast.get_docstring(module):
        yield "", f"{name}\n\n{text}"
    yield from _inside(module, name, "")


def _inside(node: ast.AST, module: str, above: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, _Function)):
            name = f"{above}{child.name}"
            if text := ast.get_docstring(child):
                yield name, f"{_heading(child, f'{module}.{name}')}\n\n{text}"
            if isinstance(child, ast.ClassDef):  # what is defined inside a function is nobody's to call
                yield from _inside(child, module, f"{name}.")
        elif isinstance(child, (ast.If, ast.Try, ast.With, ast.ExceptHandler)):
            yield from _inside(child, module, above)


def _heading(node: ast.ClassDef | _Function, name: str) -> str:
    if isinstance(node, ast.ClassDef):
        inside = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {name}({inside})" if inside else f"class {name}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    signature = f"({ast.unparse(node.args)}){returns}"
    return name + (signature if len(signature) <= MAX_SIGNATURE_CHARS else "(...)")
