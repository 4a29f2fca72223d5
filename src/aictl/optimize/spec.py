"""The settings of what makes a model smaller or faster, and of the gate that it has to pass."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from aictl.core.spec import Spec, comma_separated, option

Method = Literal["int4", "int8"]
Rounding = Literal["rtn", "hqq", "awq", "gptq", "k-quant"]
Calibration = Literal["dynamic", "minmax", "entropy", "percentile"]


class QualitySpec(Spec):
    """How much worse than the model that it was made from a candidate may be, and on what that is measured."""

    max_quality_loss: float | None = option(
        None,
        ge=0,
        help="largest loss of quality that is accepted: of perplexity relative, 0.05 unless set; of accuracy, recall, "
        "MRR and chrF absolute, 0.01 unless set, which is one point of a hundred",
    )
    split: str = option("validation", help="split of the dataset on which quality is measured")
    most: int = option(1000, ge=1, le=1_000_000, help="documents at most, drawn at random, on which it is measured")
    quality_tokens: int = option(
        4096, ge=64, help="of a language model: about how many held-out tokens it is measured on"
    )

    def accepted(self, usual: float) -> float | None:
        """The loss that is accepted, where the measure's ``usual`` one is meant unless it is set; None for any."""
        return usual if self.max_quality_loss is None else self.max_quality_loss


class GateSpec(QualitySpec):
    """What a candidate must be worth to be kept."""

    require_speedup: float | None = option(
        None,
        gt=0,
        help="fail unless it costs this many times less CPU time; only if the whole 95% confidence interval lies "
        "below it",
    )
    max_size: float | None = option(
        None, gt=0, help="largest size that is accepted, as a share of its parent's: 0.5 is half"
    )


class QuantizeSpec(GateSpec):
    """How to round the weights, and what the result must be worth to be kept."""

    method: Method = option(
        "int8",
        help="int8 keeps nearly all quality; int4, for language models alone, is smaller and faster, and costs small "
        "models some",
    )
    rounding: Rounding | None = option(
        None,
        help="of language models: gptq and awq round for --calibration-tokens of text, hqq and rtn without any, "
        "k-quant as onnxruntime-genai's builder does; unless set rtn for int8, and gptq for int4 where there is text",
    )
    calibration_tokens: int = option(
        8192, ge=256, le=2**24, help="of the split train, that weights of a language model are rounded for"
    )
    calibration: Calibration | None = option(
        None,
        help="of networks of one graph, how what flows between layers is rounded: dynamic measures it in "
        "every run, the others once on --calibration-documents; dynamic for texts and minmax for pictures unless set",
    )
    calibration_documents: int = option(
        64, ge=1, le=10_000, help="of the split train, what is rounded between layers is measured on them"
    )
    spare: int = option(
        0,
        ge=0,
        help="layers that are not rounded, of networks of one graph: those that do most harm, each rounded alone",
    )


class PickSpec(Spec):
    """Which model of a front."""

    model: str | None = option(None, min_length=1, help="its name in the front; the chosen one unless set")


class BenchSpec(Spec):
    """What the models are run on, and how often."""

    rounds: int = option(7, ge=3, le=1000, help="turns of each model that count; one more warms up")
    threads: int | None = option(1, ge=1, le=1024, help="CPU threads of each model, kept on as many cores")
    device: Literal["cpu", "cuda"] = option("cpu", help="where the models run")
    prompt_tokens: int = option(128, ge=1, le=1_000_000, help="of a language model: length of the prompts")
    new_tokens: int = option(
        32, ge=2, le=100_000, help="of a language model or an encoder-decoder: tokens that follow what is read"
    )
    at_once: list[Annotated[int, Field(ge=1, le=4096)]] = option(
        [1, 4],
        help="how many sequences of a model that writes, or inputs of another, are asked for together",
    )
    split: str = option("validation", min_length=1, help="split of the dataset whose texts or pictures are run")

    _lists = field_validator("at_once", mode="before")(comma_separated)
