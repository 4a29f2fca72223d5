"""What cannot be traced is named with the layer that it stands in."""

from __future__ import annotations

import pytest
import torch

from aictl.core.errors import WorkFailed
from aictl.export.graph import FREE, Given, traced


class Spectrum(torch.nn.Module):
    def forward(self, x):
        return torch.linalg.eigvalsh(x @ x.transpose(-1, -2))


class Undecided(torch.nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x


class Outer(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.network = torch.nn.ModuleDict({"first": torch.nn.Linear(4, 4), "second": inner})

    def forward(self, x):
        return self.network["second"](self.network["first"](x)).relu()


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        (
            Spectrum(),
            r"own could not be traced to ONNX: aten\._linalg_eigh\.default has no ONNX form \(in second, Spectrum\)",
        ),
        (Undecided(), r"Could not guard on data-dependent expression .* \(in second, Undecided\)"),
    ],
)
def test_the_layer_is_named(inner, says, capfd):
    given = Given(["x"], (torch.ones(2, 4, 4),), ({0: FREE},))
    with pytest.raises(WorkFailed, match=says):
        traced(Outer(inner), given, ["y"], 20, "own")
    assert capfd.readouterr().out == ""
