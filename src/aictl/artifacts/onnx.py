"""onnx: a model as an ONNX graph or two, with all that is needed to run it.

Files: ``model.onnx``, its weights ``model.onnx.data`` unless the graph holds them, and ``export.json``:
``{"layout": "standard" | "fused", "precision": "fp32" | "fp16" | "bf16" | "int8" | "int4", "opset": 20,
"capability": ...}``.

Layout ``standard`` has only operators of the ONNX standard, which every runtime and TensorRT
read; ``fused`` has onnxruntime's contrib operators. ``capability`` is what the model can do, a word of
:mod:`aictl.artifacts.capability`, or null where nobody has said; a file without it is of a language model.

A causal language model (``text-generation``) has ``genai_config.json`` as well (how the graph is driven, as
onnxruntime-genai reads it), ``tokenizer.json``, ``tokenizer_config.json`` and the chat template, and
``generation_config.json``. Its graph takes ``input_ids`` and, where it needs them, ``position_ids`` (batch, length),
``attention_mask`` (batch, past + length) and for every layer ``past_key_values.N.key`` and
``.value`` (batch, key/value heads, past, head width); it gives ``logits`` (batch, length,
vocabulary) and ``present.N.key`` and ``.value``.

One that was made smaller or faster has ``weighed.html``, a page that holds it against its parent.

Any other graph says in ``export.json`` what it takes and gives: ``{"signature": {"inputs": [...], "outputs":
[...]}}``, each ``{"name": "image", "type": "float32", "shape": ["batch", 8, 8, 1]}``, where a word stands for an
extent that is free. Whatever the precision, numbers that people see go in and come out as float32: pixels, logits,
boxes, hidden states, vectors. A language model's keys and values are of the precision of its weights.

A model whose halves are used apart has a graph for each and no ``model.onnx``; ``export.json`` says under ``graphs``
what each takes and gives, by the names of their files without ``.onnx``: ``{"graphs": {"text": {"inputs": [...],
"outputs": [...]}, "image": ...}}``. There are two sorts:

- a dual encoder (``image-text``): ``text.onnx`` gives ``text_embeds`` and ``image.onnx`` ``image_embeds``, unit vectors
  (batch, width), so that a thousand pictures are each read once, whatever is asked of them. How well two go together
  is ``scale * (text . image) + bias``, of ``{"scoring": {"scale": 100.0, "bias": 0.0}}`` in ``export.json``.
- an encoder-decoder (``text-to-text``): ``encoder.onnx`` takes a text, ``input_ids`` and ``attention_mask`` (batch,
  read), and gives for every layer of the decoder what it looks up there: ``cross.N.key`` and ``.value`` (batch, heads,
  read, head width). ``decoder.onnx`` takes these and the mask, ``decoder_input_ids`` (batch, length) and
  ``past_key_values.N.key`` and ``.value``; it gives ``logits`` and ``present.N.key`` and ``.value``.

Weights lie in the folder of their graph: one that names a file elsewhere, by an absolute path, through ``..`` or by a
link, is damaged, and is not opened.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.artifacts.capability import ABILITIES, EMBEDDING_FILES, Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.model import WEIGHED, Brief, Model
from aictl.artifacts.onnx_header import Header, joined, read_header
from aictl.artifacts.onnx_weights import require_whole
from aictl.artifacts.signature import Signature, Tensor
from aictl.core.errors import Damaged

# The files that turn text into tokens and back, of whatever kind of model folder.
TEXT_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)
# The files that turn a picture into what a network takes, and hidden states into a vector.
PICTURE_FILES = ("preprocessor_config.json", "processor_config.json")
VECTOR_FILES = (*EMBEDDING_FILES, "sentence_bert_config.json", "config_sentence_transformers.json")


class OnnxModel(Model):
    """An exported model that runs without torch."""

    kind = "onnx"
    about = "a model as an ONNX graph that runs without torch"

    @property
    def model_path(self) -> Path:
        """The graph of a model that has one."""
        return self.folder / "model.onnx"

    @property
    def graphs(self) -> dict[str, Path]:
        """The files of all graphs, by their names without ``.onnx``. Raises :class:`Damaged`."""
        stated = self.facts.get("graphs")
        if stated is None:
            return {self.model_path.stem: self.model_path}
        if not isinstance(stated, dict) or not stated or not all(name.isidentifier() for name in stated):
            raise Damaged(f"{self.folder / 'export.json'}: graphs is no table of names with signatures")
        return {name: self.folder / f"{name}.onnx" for name in stated}

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Layout, precision, opset, capability and signature, from ``export.json``."""
        return self._read("export.json", ("layout",), ("precision",))

    @property
    def capability(self) -> Capability | None:
        """What the model can do; None where nobody has said."""
        stated = self.facts.get("capability", "text-generation")
        if stated is not None and stated not in ABILITIES:
            raise Damaged(f"{self.folder / 'export.json'}: capability '{stated}' is none of {', '.join(ABILITIES)}")
        return stated

    @property
    def signature(self) -> Signature | None:
        """What the graph takes and gives, where ``export.json`` says so, of a model that has one. Raises
        :class:`Damaged`."""
        stated = self.facts.get("signature")
        return None if stated is None else self._signature(stated)

    @property
    def signatures(self) -> dict[str, Signature]:
        """What each graph takes and gives, of a model that has several. Raises :class:`Damaged`."""
        return {name: self._signature(self.facts["graphs"][name]) for name in self.graphs if "graphs" in self.facts}

    def _signature(self, stated: Any) -> Signature:
        try:
            sides = [
                tuple(Tensor(one["name"], one["type"], tuple(one["shape"])) for one in stated[side])
                for side in Signature._fields
            ]
        except (KeyError, TypeError) as error:
            raise Damaged(f"{self.folder / 'export.json'}: the signature lacks {error}") from error
        return Signature(*sides)

    @cached_property
    def driving(self) -> dict[str, Any]:
        """How the graph of a language model is driven, from ``genai_config.json``: under ``model`` its
        ``context_length`` and ``decoder`` (names of inputs and outputs, ``head_size``), under
        ``search`` whether past and present keys and values ``past_present_share_buffer``."""
        return self._read(
            "genai_config.json",
            ("model", "context_length"),
            ("model", "decoder", "head_size"),
            ("search", "past_present_share_buffer"),
        )

    @property
    def context_length(self) -> int:
        """Longest sequence in tokens that a language model was made for."""
        return int(self.driving["model"]["context_length"])

    @property
    def weights_bytes(self) -> int:
        """Size of the graphs and their weights on disk."""
        return sum(one.stat().st_size for path in self.graphs.values() for one in self.folder.glob(f"{path.name}*"))

    @cached_property
    def header(self) -> Header:
        """What the graph's file says of itself; several are taken together. Raises :class:`Damaged`."""
        headers = [read_header(path) for path in self.graphs.values()]
        return headers[0] if len(headers) == 1 else joined(headers)

    def brief(self) -> Brief:
        """Where weights were rounded to fewer bits, the graph cannot say how many they were: the model that it was
        made from can."""
        origin = self.nearest(Checkpoint)
        rounded = self.facts["precision"] not in ("fp32", "fp16", "bf16")
        counted = self.metrics.get("parameters") or (origin.brief().parameters if origin else None)
        return Brief(
            self.capability,
            origin.brief().architecture if origin else None,
            counted or (None if rounded else self.header.weights),
            self.facts["precision"],
            self.context_length if self.capability == "text-generation" else None,
        )

    def content(self, files: Mapping[str, Mapping[str, Any]]) -> str:
        """Without the page, which tells how long things took: equal graphs are one model."""
        return super().content({path: entry for path, entry in files.items() if path != WEIGHED})

    def check(self) -> None:
        """Raises :class:`Damaged` for graphs that are not whole, lack weights or keep them elsewhere, and where what
        ``export.json`` says of them is not so."""
        if "graphs" in self.facts:
            stated = self.signatures
        elif self.capability == "text-generation":
            self.driving  # noqa: B018  (reading it is the check)
            stated = {}
        elif self.signature is None:
            raise Damaged(f"{self.folder / 'export.json'} does not say what the graph takes and gives (signature)")
        else:
            stated = {self.model_path.stem: self.signature}
        for name, path in self.graphs.items():
            if not path.is_file() or path.stat().st_size == 0:
                raise Damaged(f"{path} is missing or empty")
            found = require_whole(path).signature
            if name in stated and found != stated[name]:
                raise Damaged(f"{path} takes or gives something else than {self.folder / 'export.json'} says")

    def _read(self, name: str, *promised: tuple[str, ...]) -> dict[str, Any]:
        path = self.folder / name
        try:
            values = json.loads(path.read_text("utf-8"))
            for steps in promised:
                inner = values
                for step in steps:
                    inner = inner[step]
        except (KeyError, TypeError) as error:
            raise Damaged(f"{path} lacks {error}") from error
        except (OSError, ValueError) as error:
            raise Damaged(f"{path}: {error}") from error
        return values


def write_facts(
    folder: Path,
    *,
    layout: str,
    precision: str,
    opset: int,
    capability: Capability | None = "text-generation",
    signature: Signature | None = None,
    graphs: Mapping[str, Signature] | None = None,
    **more: Any,
) -> None:
    """Write ``export.json``; any graph but a language model's needs a ``signature``, and several need ``graphs``."""
    facts: dict[str, Any] = {"layout": layout, "precision": precision, "opset": opset, "capability": capability, **more}
    if signature is not None:
        facts["signature"] = signature.to_json()
    if graphs is not None:
        facts["graphs"] = {name: one.to_json() for name, one in graphs.items()}
    (folder / "export.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def copy_text_files(source: Path, folder: Path) -> None:
    """Copy tokenizer, chat template and generation settings from one model folder to another."""
    for name in TEXT_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def copy_network_files(source: Path, folder: Path) -> None:
    """Copy what a classifier or an embedding model needs beside its graph: its configuration, which names the classes,
    and what turns texts or pictures into its input, and hidden states into vectors."""
    for name in ("config.json", *TEXT_FILES, *PICTURE_FILES, *VECTOR_FILES):
        if (source / name).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, folder / name)
