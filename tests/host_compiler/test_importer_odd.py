"""Valid but unusual ONNX: refused with node, operator and reason, or computed exactly."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from host_compiler.compile import compile_graph, make_target
from host_compiler.importer import import_model
from tests.host_compiler.models import ort_run
from tests.host_compiler.program_runner import ProgramRunner
from vta_pynq.cli import main
from vta_pynq.errors import CompileError

FLOAT, INT8 = TensorProto.FLOAT, TensorProto.INT8
UNSUPPORTED = ("FLOAT16", "DOUBLE", "BFLOAT16", "COMPLEX64", "STRING", "UINT32", "FLOAT8E4M3FN")
node, info = helper.make_node, helper.make_tensor_value_info


def net(extra=(), outputs=None, inputs=(), conv=("dq", "wdq"), **constants) -> onnx.ModelProto:
    """A quantised convolution of an image, and what a test adds; `c` is its real result."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], "quant"),
        node("DequantizeLinear", ["q", "s", "z"], ["dq"], "dequant"),
        node("DequantizeLinear", ["w", "s", "z"], ["wdq"], "weights"),
        node("Conv", list(conv), ["c"], "conv"),
        node("QuantizeLinear", ["c", "s", "z"], ["y"], "last"),
        *extra,
    ]
    arrays = {
        "s": np.float32(0.5), "z": np.int8(0), "w": np.ones((4, 3, 3, 3), np.int8), **constants,
    }  # fmt: skip
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    image = [] if any(value.name == "x" for value in inputs) else [info("x", FLOAT, (1, 3, 8, 8))]
    graph = helper.make_graph(
        nodes, "odd", [*image, *inputs], outputs or [info("y", INT8, None)], tensors
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def real(name: str = "e") -> list[onnx.ValueInfoProto]:
    return [info(name, FLOAT, None)]


def branch(result: str) -> onnx.GraphProto:
    return helper.make_graph([node("Identity", ["c"], [result])], result, [], real(result))


def with_if() -> onnx.ModelProto:
    chosen = node("If", ["flag"], ["e"], "choose", then_branch=branch("t"), else_branch=branch("f"))
    return net([chosen], real(), flag=np.array(True))


def with_loop() -> onnx.ModelProto:
    flags = [info("i", TensorProto.INT64, ()), info("more", TensorProto.BOOL, ())]
    body = helper.make_graph(
        [node("Identity", ["more"], ["again"]), node("Relu", ["v"], ["next"])], "body",
        [*flags, info("v", FLOAT, None)],
        [info("again", TensorProto.BOOL, ()), info("next", FLOAT, None)],
    )  # fmt: skip
    loop = node("Loop", ["trips", "flag", "c"], ["e"], "repeat", body=body)
    return net([loop], real(), trips=np.int64(3), flag=np.array(True))


def with_scan() -> onnx.ModelProto:
    plane = (3, 8, 8)
    body = helper.make_graph(
        [node("Add", ["a", "v"], ["sum"]), node("Identity", ["sum"], ["copy"])], "body",
        [info("a", FLOAT, plane), info("v", FLOAT, plane)],
        [info("sum", FLOAT, plane), info("copy", FLOAT, plane)],
    )  # fmt: skip
    scan = node("Scan", ["start", "x"], ["e", "all"], "scanner", body=body, num_scan_inputs=1)
    return net([scan], real(), start=np.zeros(plane, np.float32))


def with_input(made) -> onnx.ModelProto:
    model = net()
    model.graph.input.append(made)
    return model


def with_sparse_bias() -> onnx.ModelProto:
    model = net(conv=("dq", "wdq", "b"))
    values = helper.make_tensor("b", FLOAT, (1,), [1.0])
    indices = helper.make_tensor("where", TensorProto.INT64, (1,), [2])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    return model


def dropout(*outputs: str, **constants) -> onnx.NodeProto:
    inputs = ["c", "ratio", "training"] if constants else ["c"]
    return node("Dropout", inputs, list(outputs), "drop")


def gemm(bias: np.ndarray, **attributes) -> onnx.ModelProto:
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], "quant"),
        node("DequantizeLinear", ["q", "s", "z"], ["dq"], "dequant"),
        node("DequantizeLinear", ["w", "s", "z"], ["wdq"], "weights"),
        node("Gemm", ["dq", "wdq", "b"], ["c"], "gemm", **attributes),
        node("QuantizeLinear", ["c", "s", "z"], ["y"], "last"),
    ]
    weights = np.arange(32).reshape(8, 4).astype(np.int8) - 16
    arrays = {"s": np.float32(0.5), "z": np.int8(0), "w": weights, "b": bias.astype(np.float32)}
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(
        nodes, "gemm", [info("x", FLOAT, (3, 8))], [info("y", INT8, None)], tensors
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


SEQUENCE = helper.make_tensor_sequence_value_info("s0", FLOAT, (1, 3))
OPTIONAL = helper.make_value_info(
    "o0", helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, (1, 3)))
)
SPARSE = helper.make_value_info("p0", helper.make_sparse_tensor_type_proto(FLOAT, (1, 3)))
ROWS = np.zeros((1, 0, 6, 6), np.float32)
SUBGRAPH = "operator is not supported, as it holds a graph of its own"

REFUSED = {
    "sequence": (lambda: with_input(SEQUENCE), "input s0: kind must be tensor, not sequence"),
    "optional": (lambda: with_input(OPTIONAL), "input o0: kind must be tensor, not optional"),
    "sparse": (lambda: with_input(SPARSE), "input p0: kind must be tensor, not sparse tensor"),
    "sparse bias": (with_sparse_bias, "initialiser b: must be dense, not sparse"),
    "if": (with_if, f"node choose (If): {SUBGRAPH}"),
    "loop": (with_loop, f"node repeat (Loop): {SUBGRAPH}"),
    "scan": (with_scan, f"node scanner (Scan): {SUBGRAPH}"),
    "mask is an output": (
        lambda: net([dropout("e", "m")], [*real(), info("m", TensorProto.BOOL, None)]),
        "node drop (Dropout): output 'm', the mask, is not supported",
    ),
    "mask is read": (
        lambda: net([dropout("d", "m"), node("Cast", ["m"], ["e"], "cast", to=FLOAT)], real()),
        "node drop (Dropout): output 'm', the mask, is not supported",
    ),
    "training": (
        lambda: net(
            [dropout("e", ratio=1)], real(), ratio=np.float32(0.5), training=np.array(True)
        ),
        "node drop (Dropout): training mode is not supported",
    ),
    "float16 weight": (
        lambda: net(conv=("dq", "k"), k=np.ones((4, 3, 3, 3), np.float16)),
        "node conv (Conv): constants must be ",
    ),
    "text": (
        lambda: net([node("Constant", [], ["k"], "text", value_string="abc")]),
        "node text (Constant): must hold a number or tensor",
    ),
    "empty image": (
        lambda: net(inputs=[info("x", FLOAT, (0, 3, 8, 8))]),
        "input x: extent 0 must be positive, not 0",
    ),
    "negative extent": (
        lambda: net(inputs=[info("x", FLOAT, (-1, 3, 8, 8))]),
        "input x: extent 0 must be positive, not -1",
    ),
    "kernel beyond image": (
        lambda: net(inputs=[info("x", FLOAT, (1, 3, 2, 2))]),
        "node conv (Conv): result 'c' must have elements, not shape [1, 4, 0, 0]",
    ),
    "empty constant": (
        lambda: net([node("Concat", ["c", "k"], ["e"], "join", axis=1)], real(), k=ROWS),
        "node join (Concat): constants must have elements, not shape [1, 0, 6, 6]",
    ),
    "outputs alike": (
        lambda: net(outputs=[info("y", INT8, None), info("y", INT8, None)]),
        "output y: must be named once",
    ),
    "inputs alike": (
        lambda: net(inputs=[info("x", FLOAT, (1, 3, 8, 8)), info("x", FLOAT, (1, 3, 8, 8))]),
        "model: must be valid ONNX: ",
    ),
    "results alike": (
        lambda: net([node("Relu", ["c"], ["c"], "again")]), "model: must be valid ONNX: "
    ),
    "bias of 5": (
        lambda: net(conv=("dq", "wdq", "b"), b=np.ones(5, np.float32)),
        "node conv (Conv): bias must have 4 values, one per channel, not 5",
    ),
    "bias nan": (
        lambda: net(conv=("dq", "wdq", "b"), b=np.full(4, np.nan, np.float32)),
        "node conv (Conv): bias must be finite",
    ),
    "gemm bias": (
        lambda: gemm(np.ones((3, 3))),
        "node gemm (Gemm): bias of shape [3, 3] must fit the result's [3, 4]",
    ),
    "shape unknown": (
        lambda: net(
            [node("Reshape", ["c", "p"], ["e"], "fold")], [info("e", FLOAT, (1, 144))],
            inputs=[info("p", TensorProto.INT64, (2,))],
        ),
        "node fold (Reshape): shape of 'e' must follow from the input shapes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_import_odd_model_refused_with_place_and_reason(case):
    make, wanted = REFUSED[case]
    with pytest.raises(CompileError) as caught:
        import_model(make())
    assert str(caught.value).startswith(wanted)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", REFUSED)
def test_compile_odd_model_exits_2_with_one_paragraph(case, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("vta_pynq.cli.COMMANDS", {"compile": "host_compiler.cli.compile"})
    make, wanted = REFUSED[case]
    path = tmp_path / "odd.onnx"
    path.write_bytes(make().SerializeToString())
    assert main(["compile", str(path), "-o", str(tmp_path / "odd.vta")]) == 2
    said = capsys.readouterr().err
    assert " ".join(wanted.split()) in " ".join(said.split())
    assert "\n\n" not in said.strip() and "Traceback" not in said
    assert not (tmp_path / "odd.vta").exists()


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_import_unsupported_elements_refused_with_place(name):
    dtype = TensorProto.DataType.Value(name)
    values = [b"a"] * 3 if name == "STRING" else [1] * 3

    def refused(model: onnx.ModelProto) -> str:
        with pytest.raises(CompileError, match="must be int8, .*, not ") as caught:
            import_model(model)
        return str(caught.value)

    assert refused(net(inputs=[info("x", dtype, (1, 3, 8, 8))])).startswith("input x: elements")
    cast = net([node("Cast", ["c"], ["e"], "cast", to=dtype)], [info("e", dtype, None)])
    assert refused(cast).startswith("node cast (Cast): elements of 'e'")
    constant = net(outputs=[info("y", INT8, None), info("k", dtype, (3,))])
    constant.graph.initializer.append(helper.make_tensor("k", dtype, (3,), values))
    assert refused(constant).startswith("output k: elements")


def test_import_dropout_at_inference_is_nothing():
    dropped = import_model(net([dropout("d", "mask"), node("Relu", ["d"], ["e"])], real()))
    plain = import_model(net([node("Relu", ["c"], ["e"])], real()))
    assert [type(made) for made in dropped.nodes] == [type(made) for made in plain.nodes]


def test_import_input_that_is_an_output_too_is_kept():
    graph = import_model(net(outputs=[info("y", INT8, None), info("x", FLOAT, None)]))
    assert graph.values[graph.outputs[1]].shape == (1, 3, 8, 8)


def test_import_equal_node_names_are_no_obstacle():
    model = net([node("Relu", ["c"], ["r"], "conv"), node("Relu", ["r"], ["e"], "conv")], real())
    assert len({made.name for made in import_model(model).nodes}) == len(import_model(model).nodes)


@pytest.mark.parametrize("shape", [(3, 4), (3, 1), (1, 4), (4,), (1,), ()])
def test_compile_gemm_with_any_bias_equals_onnxruntime(shape):
    bias = np.arange(int(np.prod(shape, dtype=int))).reshape(shape) - 2
    model = gemm(bias)
    made = compile_graph(import_model(model), make_target(None, "hls-64bit"), candidates=1)
    inputs = {"x": (np.arange(24).reshape(3, 8) % 7 / 2).astype(np.float32)}
    found = ProgramRunner(made.program).run(inputs)[made.program.outputs[0]]
    np.testing.assert_array_equal(found, ort_run(model, inputs)[0])
