"""The registry: what is refused when a program is loaded, and what when it runs."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest

from vta_pynq import cpu_ops
from vta_pynq.errors import ProgramError, ShapeError, VtaError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "cpu-operators.md"

REFUSED = [
    ("warp", {}, 1,
     f"operator must be one of this version's {len(cpu_ops.OPERATORS)}, not 'warp'; "
     "install a newer vta-pynq or compile the model again"),
    ("add", {}, 1, "operator add: inputs must number 2, not 1; compile the model again"),
    ("clip", {}, 4, "operator clip: inputs must number 1 to 3, not 4; compile the model again"),
    ("concat", {"axis": 0}, 0,
     "operator concat: inputs must number at least 1, not 0; compile the model again"),
    ("relu", {"alpha": 1}, 1,
     "operator relu: attribute must be one of in_scale, in_zero_point, out_scale, "
     "out_zero_point, dtype, not 'alpha'; compile the model again"),
    ("add", {"x": 1}, 2,
     "operator add: attribute must be one of none, not 'x'; compile the model again"),
    ("concat", {"axis": 1.5}, 2,
     "operator concat: axis must be int, not 1.5; compile the model again"),
    ("concat", {"axis": True}, 2,
     "operator concat: axis must be int, not True; compile the model again"),
    ("concat", {"axis": 1 << 70}, 2,
     "operator concat: axis must be int, not 1180591620717411303424; compile the model again"),
    ("concat", {}, 2,
     "operator concat: attribute axis must be given, not left out; compile the model again"),
    ("quantize", {"scale": "a"}, 1,
     "operator quantize: scale must be scale, not 'a'; compile the model again"),
    ("quantize", {"scale": 1, "dtype": "int4"}, 1,
     "operator quantize: dtype must be one of int8, uint8, not 'int4'; compile the model again"),
    ("max_pool", {"kernel_shape": [0, 1]}, 1,
     "operator max_pool: kernel_shape must be at least 1, not [0, 1]; compile the model again"),
    ("clip", {"absent": [3]}, 2,
     "operator clip: absent must name different operands before the last one, not [3]; "
     "compile the model again"),
    ("clip", {"absent": [1, 1]}, 1,
     "operator clip: absent must name different operands before the last one, not [1, 1]; "
     "compile the model again"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "attributes", "inputs", "message"), REFUSED)
def test_validate_refuses_with_the_reason(op, attributes, inputs, message):
    with pytest.raises(ProgramError) as caught:
        cpu_ops.validate(op, attributes, inputs)
    assert str(caught.value) == message


FLOATS = np.zeros((2, 3, 4, 4), np.float32)
WRONG = [
    ("quantize", [FLOATS.astype(np.float64)], {"scale": 1.0}, ShapeError,
     "operator quantize: input must be float32, not float64; convert it"),
    ("quantize", [FLOATS], {"scale": [1.0, 2.0]}, ShapeError,
     "operator quantize: scales must be 3 to 3 for 3 channels, not 2; compile the model again"),
    ("quantize", [FLOATS], {"scale": [1.0] * 3, "axis": 4}, ShapeError,
     "operator quantize: axis must be in -4..3 for 4 dimensions, not 4; compile the model again"),
    ("quantize", [FLOATS], {"scale": 0.0}, ProgramError,
     "operator quantize: scale must be positive and finite in float32, not 0.0; "
     "compile the model again"),
    ("quantize", [FLOATS], {"scale": 1e-50}, ProgramError,
     "operator quantize: scale must be positive and finite in float32, not 1e-50; "
     "compile the model again"),
    ("quantize", [FLOATS], {"scale": 1.0, "zero_point": 200}, ProgramError,
     "operator quantize: zero_point must be in -128..127 (int8), not 200; "
     "compile the model again"),
    ("requantize", [FLOATS], {"scale": 1.0}, ShapeError,
     "operator requantize: inputs must be one int32 or four int8 planes, lowest first, not "
     "float32; compile the model again"),
    ("requantize", [FLOATS.astype(np.int32)], {"scale": 1.0, "qmin": 5, "qmax": 4}, ProgramError,
     "operator requantize: qmin and qmax must be in order in -128..127 (int8), not 5 and 4; "
     "compile the model again"),
    ("max_pool", [FLOATS], {"kernel_shape": [5, 1]}, ShapeError,
     "operator max_pool: input of 4 must not be smaller than the window of 5 with its pads; "
     "compile the model again"),
    ("max_pool", [FLOATS[0]], {"kernel_shape": [2, 2]}, ShapeError,
     "operator max_pool: input must have 4 dimensions, not 3; compile the model again"),
    ("max_pool", [FLOATS], {"kernel_shape": [2]}, ProgramError,
     "operator max_pool: kernel_shape must be two numbers up to 16777216, not [2]; "
     "only planes have windows"),
    ("cast", [FLOATS], {"to": 10}, ProgramError,
     "operator cast: to must be one of 1, 2, 3, 4, 5, 6, 7, 9, 11, not 10; "
     "compile the model again"),
    ("div", [FLOATS.astype(np.int32)] * 2, {}, ShapeError,
     "operator div: inputs must fit each other and the attributes, not int32[2, 3, 4, 4], "
     "int32[2, 3, 4, 4] (integer division by zero); compile the model again"),
    ("split", [FLOATS], {"axis": 1, "split": [1, 1]}, ShapeError,
     "operator split: lengths must sum to 3, not [1, 1]; compile the model again"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "attributes", "kind", "message"), WRONG)
def test_run_refuses_operands_with_the_reason(op, inputs, attributes, kind, message):
    with pytest.raises(kind) as caught:
        cpu_ops.run(op, inputs, attributes)
    assert str(caught.value) == message


def test_run_of_operands_that_numpy_refuses_is_a_shape_error():
    with pytest.raises(ShapeError, match=r"operator add: inputs must fit each other and the"):
        cpu_ops.run("add", [FLOATS, FLOATS[:, :2]], {})


@pytest.mark.parametrize("op", sorted(cpu_ops.OPERATORS))
def test_random_attributes_give_results_or_typed_errors(op):
    # What a hostile program may hold: nothing but a VtaError may come of it.
    rng = np.random.default_rng(11)
    found = cpu_ops.OPERATORS[op]
    values = {
        "int": [0, 1, -1, 5, -7, 1 << 40, -(1 << 62)],
        "float": [0.0, 1.0, -1.0, 1e-300, 1e300, 3],
        "ints": [[], [0], [1, 1], [-1, 2], [0, 1, 2, 3], [1, 1, 1, 1], [1 << 40] * 2, [3] * 16],
        "floats": [[], [1.0], [1, 1, 2, 2], [0.0] * 4, [1e30] * 4],
        "scale": [0.5, [], [0.5] * 3, [1e300], -1.0],
        "str": ["", "NCHW", "NCHW1n16c", "X"],
    }
    operands = [
        rng.normal(size=(1, 3, 4, 4)).astype(np.float32),
        rng.integers(-9, 9, (1, 3, 4, 4)).astype(np.int8),
        rng.integers(-9, 9, (1, 1, 2, 2, 1, 16)).astype(np.int8),
        rng.integers(-9, 9, 4),
        np.zeros((0, 3), np.float32),
        np.float32(1.5),
        np.array([True, False]),
    ]
    outcomes = set()
    for _ in range(300):
        attributes = {}
        for name, rule in found.attributes.items():
            if name != "absent" and (rule.required or rng.random() < 0.4):
                choices = rule.choices or values[rule.kind]
                attributes[name] = choices[rng.integers(len(choices))]
        count = int(rng.integers(found.least, (found.most or 3) + 1))
        inputs = [operands[i] for i in rng.integers(0, len(operands), count)]
        try:
            results = cpu_ops.run(op, inputs, attributes)
            assert all(isinstance(result, np.ndarray) for result in results)
            outcomes.add("result")
        except VtaError as error:
            assert str(error).startswith(f"operator {op}: "), error
            outcomes.add("error")
    assert outcomes


def test_out_that_fits_receives_the_result():
    x = np.linspace(-3, 3, 24, dtype=np.float32).reshape(2, 3, 4)
    out = np.zeros(24, np.int8)  # another shape of the same size
    result = cpu_ops.run("quantize", [x], {"scale": 0.5}, out=[out])[0]
    assert np.shares_memory(result, out)
    assert np.array_equal(out.reshape(x.shape), np.rint(x / np.float32(0.5)).astype(np.int8))


@pytest.mark.parametrize("out", [
    np.zeros(48, np.int8)[::2], np.zeros(24, np.uint8), np.zeros(23, np.int8),
    np.frombuffer(bytes(24), np.int8),
], ids=["stepped", "dtype", "size", "read-only"])  # fmt: skip
def test_out_that_does_not_fit_is_left_alone(out):
    x = np.ones((2, 3, 4), np.float32)
    result = cpu_ops.run("quantize", [x], {"scale": 0.5}, out=[out])[0]
    assert not np.shares_memory(result, out)
    assert not out.any()
    assert np.all(result == 2)


def test_out_over_an_operand_is_left_alone():
    memory = np.arange(32, dtype=np.int8)
    x = memory.reshape(1, 2, 4, 4)
    result = cpu_ops.run("transpose", [x], {"perm": [0, 2, 3, 1]}, out=[memory])[0]
    assert np.array_equal(memory, np.arange(32))
    assert np.array_equal(result, x.transpose(0, 2, 3, 1))


def test_operands_are_never_written():
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    x.flags.writeable = False
    before = x.tobytes()
    for op, rule in (
        ("relu", {}), ("softmax", {}), ("average_pool", {"kernel_shape": [2, 2]}),
        ("quantize", {"scale": 0.5}), ("clip", {"min": 0.0}),
        ("pack", {"layout": "NCHW1n16c", "scale": 0.5}),
    ):  # fmt: skip
        cpu_ops.run(op, [x], rule)
    assert x.tobytes() == before


def test_threads_get_the_same_results():
    rng = np.random.default_rng(1)
    xs = [rng.normal(size=(1, 20, 40, 40)).astype(np.float32) for _ in range(4)]
    rule = {"layout": "NCHW1n16c", "scale": 0.05}
    wanted = [cpu_ops.run("pack", [x], rule)[0] for x in xs]
    wrong = []

    def work(number):
        for _ in range(30):
            if not np.array_equal(cpu_ops.run("pack", [xs[number]], rule)[0], wanted[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_documentation_lists_every_operator_with_its_attributes():
    text = DOCS.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `.*$", text.partition("## Reference")[2], re.MULTILINE)
    assert rows == [_row(found) for _, found in sorted(cpu_ops.OPERATORS.items())]


def _row(found):
    names = [f"`{name}`{'*' * rule.required}" for name, rule in found.attributes.items()]
    first = " ".join(found.doc.partition("\n\n")[0].split())
    return f"| `{found.name}` | {found.inputs_text} | {', '.join(names) or 'none'} | {first} |"


def test_operators_that_the_importer_leaves_to_the_processor_exist():
    pytest.importorskip("onnx")
    from host_compiler.importer.processor import PROCESSOR_OPERATORS

    assert set(PROCESSOR_OPERATORS.values()) <= set(cpu_ops.OPERATORS)
