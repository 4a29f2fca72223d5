from __future__ import annotations

from aictl.model.parts import Part, parts


def entry(*shape: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": list(shape)}


def test_layers_that_are_alike_are_one_part_and_each_other_module_is_its_own():
    tensors = {
        "wte.weight": entry(10, 4),
        **{f"h.{n}.attn.weight": entry(4, 4) for n in range(12)},
        **{f"h.{n}.mlp.experts.{e}.weight": entry(2) for n in range(12) for e in range(8)},
        "ln_f.weight": entry(4),
        "ln_f.bias": entry(4),
        "position_ids": entry(1, 512, dtype="I64"),
        "temperature": entry(),
    }
    assert parts(tensors) == [
        Part("wte", 1, 40),
        Part("h", 12, 12 * (16 + 16)),
        Part("ln_f", 1, 8),
        Part("temperature", 1, 1),
    ]
