"""mobile: a model in onnxruntime's own format, for phones and small boards, with all that is needed to run it.

Files: for each graph a ``.ort`` with its weights, such as ``model.ort``; ``required_operators.config``, the operators
that a build of onnxruntime must have to run them, as its ``--include_ops_by_config`` reads them; ``mobile.json`` and
what is needed beside the graphs, as :mod:`aictl.artifacts.converted` says.
"""

from __future__ import annotations

from aictl.artifacts.converted import Converted
from aictl.core.errors import Damaged

OPERATORS = "required_operators.config"
_MARK = b"ORTM"  # of the format, behind the offset of 32 bits with which every flatbuffer begins


class MobileModel(Converted):
    """A model for onnxruntime on small machines."""

    kind = "mobile"
    about = "a model in onnxruntime's own format, for phones and small boards"
    facts_file = "mobile.json"

    @classmethod
    def files_of(cls, graph: str) -> tuple[str, ...]:
        return (f"{graph}.ort",)

    def check(self) -> None:
        """Raises :class:`Damaged` for a graph that is not of this format or not whole, and without the operators."""
        super().check()
        for path in self.graphs.values():
            with path.open("rb") as file:
                head = file.read(8)
            if head[4:] != _MARK:
                raise Damaged(f"{path} is not in onnxruntime's own format")
        if not (self.folder / OPERATORS).is_file():
            raise Damaged(f"{self.folder / OPERATORS} is missing")
