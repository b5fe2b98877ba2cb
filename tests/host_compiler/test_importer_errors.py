"""Damaged, hostile and unsupported models: one clear error each."""

from __future__ import annotations

import contextlib
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from host_compiler.importer import import_model
from tests.host_compiler.models import make_model
from vta_pynq.errors import CompileError

node = helper.make_node

CONSTANTS = {
    "s": np.float32(0.5), "z": np.array(0, "i1"), "w": np.ones((4, 3, 3, 3), "i1"),
    "ws": np.float32(0.25),
}  # fmt: skip


def net(extra=(), inputs=None, outputs=None, opset=17, **constants) -> onnx.ModelProto:
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["dq"]),
        node("DequantizeLinear", ["w", "ws", "z"], ["wdq"]),
        node("Conv", ["dq", "wdq"], ["c"], "conv"),
        node("QuantizeLinear", ["c", "s", "z"], ["y"]),
        *extra,
    ]
    return make_model(
        nodes,
        inputs or {"x": ("f", ("batch", 3, 8, 8))},
        outputs or {"y": "b"},
        {**CONSTANTS, **constants},
        opset,
    )


def message(model, shapes=None) -> str:
    with pytest.raises(CompileError) as caught:
        import_model(model, shapes)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_import_good_model_has_nodes():
    assert len(import_model(net(), {"batch": 2}).nodes) == 2


def test_import_truncated_bytes_refused():
    data = net().SerializeToString()
    for length in (0, 1, 10, len(data) // 2):
        found = message(data[:length], {"batch": 1})
        assert found == "model: must be an ONNX file, not truncated or something else"


def test_import_random_bytes_refused():
    random = np.random.default_rng(1)
    for length in (3, 100, 5000):
        assert message(random.bytes(length), {"batch": 1}).startswith("model: must be")


def test_import_damaged_bytes_never_raise_anything_else():
    data = bytearray(net().SerializeToString())
    random = np.random.default_rng(2)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(random.integers(1, 6)):
            damaged[random.integers(len(data))] = random.integers(256)
        with contextlib.suppress(CompileError):
            import_model(bytes(damaged), {"batch": 1})


def test_import_missing_file_refused(tmp_path):
    path = tmp_path / "none.onnx"
    assert message(path) == f"model {path}: must be readable: No such file or directory"


def test_import_old_opset_refused():
    assert message(net(opset=11), {"batch": 1}) == (
        "model: opset must be at least 13, not 11; convert it with onnx.version_converter"
    )


def test_import_dynamic_extent_without_argument_refused():
    assert message(net()) == (
        "input x: extent batch must be fixed; give batch=1 or a shape for x (--shape)"
    )


@pytest.mark.parametrize(
    ("shapes", "wanted"),
    [
        ({"x": (1, 3, 8)}, "input x: shape must have 4 extents, not (1, 3, 8)"),
        ({"x": (1, 4, 8, 8)}, "input x: extent 1 must be 3 (the model fixes it), not 4"),
        ({"batch": 0}, "input x: extents must be positive, not 0"),
        ({"batch": 1, "z": 3}, "shape for 'z' must name an input or its extent"),
    ],
)
def test_import_wrong_shapes_refused(shapes, wanted):
    assert message(net(), shapes) == wanted


def test_import_contradicting_shapes_refused():
    model = net(w=np.ones((4, 5, 3, 3), "i1"))
    assert message(model, {"batch": 1}) == (
        "node conv (Conv): weights of shape [4, 5, 3, 3] in 1 groups must fit 3 input channels"
    )


def test_import_unknown_operator_refused_with_node_and_reason():
    extra = [node("Einsum", ["c"], ["e"], "mixer", equation="nchw->nhwc")]
    model = net(extra, outputs={"y": "b", "e": "f"})
    assert message(model, {"batch": 1}) == "node mixer (Einsum): operator is not supported"


def test_import_dynamic_quantisation_refused_with_node_and_reason():
    extra = [node("DynamicQuantizeLinear", ["c"], ["e", "es", "ez"], "dynamic")]
    model = net(extra, outputs={"y": "b", "e": "B"})
    found = message(model, {"batch": 1})
    assert found.startswith("node dynamic (DynamicQuantizeLinear): ")


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_import_impossible_scale_refused(scale):
    found = message(net(s=np.float32(scale)), {"batch": 1})
    assert found.endswith("(QuantizeLinear): scale must be positive and finite")


def test_import_bias_beyond_32_bits_refused():
    model = net()
    conv = next(n for n in model.graph.node if n.op_type == "Conv")
    conv.input.append("b")
    model.graph.initializer.append(numpy_helper.from_array(np.full(4, 1e9, "f4"), "b"))
    assert message(model, {"batch": 1}) == (
        "node conv (Conv): bias must fit 32 bits in units of input scale times weight scale"
    )


def test_import_double_input_refused():
    model = net(inputs={"x": ("f", (1, 3, 8, 8))})
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    message(model)


def external(location: str) -> onnx.ModelProto:
    model = net()
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return model


def test_import_missing_external_data_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(external("w.bin").SerializeToString())
    assert message(path, {"batch": 1}) == (
        "initialiser w: external data file 'w.bin' must exist beside the model"
    )


def test_import_short_external_data_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(external("w.bin").SerializeToString())
    (tmp_path / "w.bin").write_bytes(b"12")
    assert message(path, {"batch": 1}).startswith("initialiser w: ")


def test_import_good_external_data_is_read(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(external("w.bin").SerializeToString())
    (tmp_path / "w.bin").write_bytes(np.full((4, 3, 3, 3), 7, "i1").tobytes())
    assert (import_model(path, {"batch": 1}).nodes[1].weight == 7).all()


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "a/../../w.bin", "", "..\\w"])
def test_import_external_data_elsewhere_refused(location, tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(108))
    path = folder / "m.onnx"
    path.write_bytes(external(location).SerializeToString())
    assert message(path, {"batch": 1}) == (
        f"initialiser w: external data must lie beside the model, not at {location!r}"
    )


def test_import_external_data_through_link_refused(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(108))
    os.symlink(tmp_path / "secret", folder / "w.bin")
    path = folder / "m.onnx"
    path.write_bytes(external("w.bin").SerializeToString())
    assert message(path, {"batch": 1}) == (
        "initialiser w: external data must not be a link to another folder"
    )


def test_import_huge_constant_refused():
    extra = [
        node("ConstantOfShape", ["dims"], ["huge"], "filler"),
        node("Add", ["huge", "huge"], ["e"], "sum"),
    ]
    model = net(extra, outputs={"y": "b", "e": "f"}, dims=np.array([1 << 20, 1 << 20]))
    assert message(model, {"batch": 1}) == (
        "node filler (ConstantOfShape): constant result must have at most 16777216 elements, "
        "not [1048576, 1048576]"
    )
