"""Networks on PyTorch, as transformers loads them: ones that embed texts, that classify them, that rank them and that
write others for them, and ones for pictures."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import (
    AutoModel,
    AutoModelForImageClassification,
    AutoModelForObjectDetection,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
)

from aictl.core.errors import BadInput, Damaged, MachineLacks
from aictl.inference.matching import FIXED_LENGTH
from aictl.inference.quiet import quiet

_AGAIN = "download it again, or give another"


class Loaded:
    """A network in evaluation mode, in float32 unless another ``dtype`` is asked for."""

    _kind: Any
    _unused: str = ""  # weights that may be missing, by the beginning of their names

    def __init__(
        self, folder: Path, threads: int | None = None, device: str = "auto", *, dtype: torch.dtype = torch.float32
    ) -> None:
        """``threads`` is torch's setting for the whole process. Raises :class:`Damaged` if the files
        cannot be loaded, :class:`MachineLacks` for a device that is not there."""
        if device == "cuda" and not torch.cuda.is_available():
            raise MachineLacks("torch finds no NVIDIA GPU it can use", cure="pass --device cpu")
        if threads:
            torch.set_num_threads(threads)
        self._device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        try:
            with quiet():
                module, loaded = self._kind.from_pretrained(
                    folder,
                    dtype=dtype,
                    local_files_only=True,
                    use_safetensors=True,
                    trust_remote_code=False,
                    output_loading_info=True,
                )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise Damaged(f"{folder} cannot be loaded: {error}", cure=_AGAIN) from error
        # transformers would make up what is not there.
        unused = self._unused
        if missing := sorted(name for name in loaded["missing_keys"] if not (unused and name.startswith(unused))):
            raise Damaged(f"{folder} lacks {len(missing)} weights, such as {missing[0]}", cure=_AGAIN)
        self.module = module.eval().to(self._device)

    def _run(self, ids: np.ndarray, mask: np.ndarray, **more: np.ndarray) -> Any:
        given = {"input_ids": ids, "attention_mask": mask, **more}
        with torch.inference_mode():
            return self.module(**{name: torch.from_numpy(one).to(self._device) for name, one in given.items()})


class TorchNetwork(Loaded):
    """One that gives hidden states."""

    _kind = AutoModel
    _unused = "pooler."

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.embedding.Network`."""
        states = getattr(self._run(ids, mask), "last_hidden_state", None)
        if states is None:
            raise BadInput("this model gives no hidden states", cure="give an encoder, such as all-MiniLM-L6-v2")
        return states.float().cpu().numpy()


class TorchClassifier(Loaded):
    """One that gives a score for each class."""

    _kind = AutoModelForSequenceClassification

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Logits, float32 (texts, classes)."""
        return self._run(ids, mask).logits.float().cpu().numpy()


class TorchReranker(Loaded):
    """One that gives a score for how well a text answers a question."""

    _kind = AutoModelForSequenceClassification

    def run(self, ids: np.ndarray, mask: np.ndarray, types: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.reranking.PairNetwork`."""
        given = {"token_type_ids": types} if self._has_types else {}
        return self._run(ids, mask, **given).logits.float().cpu().numpy()

    @cached_property
    def _has_types(self) -> bool:
        """Whether it tells the tokens of the two apart."""
        kinds = int(getattr(self.module.config, "type_vocab_size", 0) or 0)
        return kinds > 1 and "token_type_ids" in inspect.signature(self.module.forward).parameters


class TorchImageClassifier(Loaded):
    """One that gives a score for each class of a picture."""

    _kind = AutoModelForImageClassification

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Logits, float32 (pictures, classes), of float32 (pictures, channels, height, width)."""
        with torch.inference_mode():
            return self.module(pixel_values=torch.from_numpy(pixels).to(self._device)).logits.float().cpu().numpy()


class TorchDetector(Loaded):
    """One that finds things in a picture."""

    _kind = AutoModelForObjectDetection

    def run(self, pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.detecting.DetectorNetwork`."""
        given = {"pixel_values": pixels, **({"pixel_mask": mask} if self._masks else {})}
        with torch.inference_mode():
            found = self.module(**{name: torch.from_numpy(one).to(self._device) for name, one in given.items()})
        return torch.cat([found.logits, found.pred_boxes], dim=-1).float().cpu().numpy()

    @cached_property
    def _masks(self) -> bool:
        """Whether it is told what is padding."""
        return "pixel_mask" in inspect.signature(self.module.forward).parameters


class TorchDualEncoder(Loaded):
    """One that turns texts and pictures into vectors that can be compared."""

    _kind = AutoModel

    def texts(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.matching.Halves`."""
        # Those that take texts of a fixed length alone were trained without a mask over the padding.
        masked = {} if self.module.config.model_type in FIXED_LENGTH else {"attention_mask": mask}
        return self._unit("get_text_features", {"input_ids": ids, **masked})

    def pictures(self, pixels: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.matching.Halves`."""
        return self._unit("get_image_features", {"pixel_values": pixels})

    def _unit(self, entry: str, given: dict[str, np.ndarray]) -> np.ndarray:
        with torch.inference_mode():
            found = getattr(self.module, entry)(
                **{name: torch.from_numpy(one).to(self._device) for name, one in given.items()}
            )
            vectors = (found if isinstance(found, torch.Tensor) else found.pooler_output).float()
            return (vectors / vectors.norm(dim=-1, keepdim=True)).cpu().numpy()


class TorchRewriter(Loaded):
    """One that writes a text for a text."""

    _kind = AutoModelForSeq2SeqLM

    def write(self, ids: np.ndarray, mask: np.ndarray, most: int) -> list[list[int]]:
        """The likeliest tokens, at most ``most``, for each row of ``ids``."""
        with torch.inference_mode(), quiet():
            made = self.module.generate(
                input_ids=torch.from_numpy(ids).to(self._device),
                attention_mask=torch.from_numpy(mask).to(self._device),
                max_new_tokens=most,
                do_sample=False,
                num_beams=1,
            )
        return [row.tolist() for row in made]

    def replay(self, ids: np.ndarray, mask: np.ndarray, written: Sequence[int]) -> Iterator[np.ndarray]:
        """See :meth:`aictl.inference.rewriting.Rewriter.replay`."""
        settings = self.module.generation_config
        start = settings.decoder_start_token_id
        given = {"attention_mask": torch.from_numpy(mask).to(self._device)}
        with torch.inference_mode():
            read = self.module.get_encoder()(input_ids=torch.from_numpy(ids).to(self._device), **given)
        past = None
        for token in ((settings.bos_token_id or 0) if start is None else start, *written):
            with torch.inference_mode():  # not around the yield: it would hold for whoever takes what comes out
                made = self.module(
                    encoder_outputs=read,
                    decoder_input_ids=torch.tensor([[token]], device=self._device),
                    past_key_values=past,
                    use_cache=True,
                    **given,
                )
            past = made.past_key_values
            yield made.logits[0, -1].float().cpu().numpy()
