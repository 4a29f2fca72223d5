"""Weights beside a graph have to be there, whole, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.artifacts.onnx_weights import require_whole
from aictl.core.errors import Damaged

onnx = pytest.importorskip("onnx", reason="writing a graph needs the extra export")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT


def outside(location: str, **more: int):
    """A tensor of 8 numbers that lies in another file."""
    tensor = onnx.TensorProto(name="w", data_type=FLOAT, dims=[8], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def in_graph(tensor):
    return helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [], [], [tensor])


def in_constant(tensor):
    return helper.make_graph([helper.make_node("Constant", [], ["y"], value=tensor)], "g", [], [])


def in_branch(tensor):
    branches = {"then_branch": in_graph(tensor), "else_branch": in_constant(tensor)}
    return helper.make_graph([helper.make_node("If", ["c"], ["y"], **branches)], "g", [], [])


def in_sparse(tensor):
    graph = helper.make_graph([], "g", [], [])
    graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor, dims=[8]))
    return graph


def write(folder, graph, functions=()):
    model = helper.make_model(graph, functions=list(functions))
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


@pytest.mark.parametrize("place", [in_graph, in_constant, in_branch, in_sparse])
def test_a_plain_file_beside_it_is_right_and_any_other_is_refused(tmp_path, place):
    folder = tmp_path / "artifact"
    (folder / "below").mkdir(parents=True)
    for path in (folder / "w.data", folder / "below/w.data", tmp_path / "secret"):
        path.write_bytes(bytes(40))
    for location in ("w.data", "./w.data", "below/w.data"):
        found = require_whole(write(folder, place(outside(location, offset=8, length=32))))
        assert {one.location for one in found.outside} == {location}
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "way").symlink_to(tmp_path)
    for location, says in {
        "../secret": "outside of its folder",
        "below/../../secret": "outside of its folder",
        str(tmp_path / "secret"): "outside of its folder",
        "..\\\\secret": "outside of its folder",
        "": "outside of its folder",
        "link": "which is a link",
        "way/secret": "which is a link",
        "gone": "which is not there",
        "below": "which is no file",
    }.items():
        with pytest.raises(Damaged, match=says):
            require_whole(write(folder, place(outside(location, offset=8, length=32))))


def test_weights_that_go_on_beyond_their_file_are_cut_short(tmp_path):
    (tmp_path / "w.data").write_bytes(bytes(30))
    with pytest.raises(Damaged, match=r"has 30 bytes, and the weight w of model\.onnx ends at 32"):
        require_whole(write(tmp_path, in_graph(outside("w.data", length=32))))
    for wrong in ({"offset": -4, "length": 8}, {"length": "many"}):
        with pytest.raises(Damaged, match="not a whole ONNX file"):
            require_whole(write(tmp_path, in_graph(outside("w.data", **wrong))))


def test_functions_are_looked_into(tmp_path):
    node = helper.make_node("Constant", [], ["y"], value=outside("../w"))
    function = helper.make_function("me", "F", [], ["y"], [node], [helper.make_opsetid("", 18)])
    with pytest.raises(Damaged, match="outside of its folder"):
        require_whole(write(tmp_path, helper.make_graph([], "g", [], []), [function]))


def test_graphs_within_graphs_end_somewhere(tmp_path):
    graph = in_graph(onnx.numpy_helper.from_array(np.ones(8, np.float32), "w"))
    for _ in range(30):
        graph = helper.make_graph([helper.make_node("If", ["c"], ["y"], then_branch=graph)], "g", [], [])
    with pytest.raises(Damaged, match="more than 20 deep"):
        require_whole(write(tmp_path, graph))
