"""What makes a configuration impossible, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vta_pynq.errors import ConfigError

if TYPE_CHECKING:
    from vta_pynq.config import HwConfig

__all__ = ["UOP_BYTES", "refusal", "refuse_impossible"]

UOP_BYTES = 4
"""Bytes of one micro-op, fixed by the instruction set."""

_WORD_BITS = 64
_UOP_BITS = 8 * UOP_BYTES
_GEMM_WORD0_FIXED_BITS = 9 + 2 * 14  # head 7, reset 1, the extra bit of uop_end, two loop counts
_ALU_WORD1_FIXED_BITS = 20  # opcode 3, use_imm 1, immediate 16
_SRAM_BASE_BITS = 16  # of LOAD and STORE
_REQUANT_OUT_BITS = 8  # clip bounds have 8 bits, so a wider output would never use its range


def refusal(config: HwConfig, what: str) -> ConfigError:
    """The error that names `config` and says what is wrong with it."""
    return ConfigError(f"configuration {config.name}: {what}")


def refuse_impossible(config: HwConfig) -> None:
    """Check widths, buffers, instruction formats and capabilities.

    Raises
    ------
    ConfigError
        The numbers cannot be built; the message gives the reason.
    """
    _check_widths(config)
    _check_buffers(config)
    _check_formats(config)
    _check_requant(config)


def _check_widths(config: HwConfig) -> None:
    for key, value in (("input", config.log_inp_width), ("weight", config.log_wgt_width)):
        if value > config.log_acc_width:
            raise refusal(
                config,
                f"{key} width must be at most the accumulator's {config.acc_width} bits, "
                f"not {1 << value}",
            )


def _check_buffers(config: HwConfig) -> None:
    for kind, log_size, elem_bits in (
        ("micro-op", config.log_uop_buff_size, _UOP_BITS),
        ("input", config.log_inp_buff_size, config.batch * config.block * config.inp_width),
        ("weight", config.log_wgt_buff_size, config.block * config.block * config.wgt_width),
        ("accumulator", config.log_acc_buff_size, config.batch * config.block * config.acc_width),
    ):
        if elem_bits < 8:
            raise refusal(
                config,
                f"one {kind} element must be at least one byte, not {elem_bits} bits; "
                "use a larger block, batch or width",
            )
        if (1 << log_size) * 8 < elem_bits:
            raise refusal(
                config,
                f"the {kind} buffer must hold at least one element of {elem_bits // 8} bytes, "
                f"not {1 << log_size} bytes",
            )
    if config.batch * config.block * config.out_width < 8:
        raise refusal(config, "one output element must be at least one byte")


def _check_formats(config: HwConfig) -> None:
    for kind, log_depth in (
        ("micro-op", config.log_uop_depth),
        ("input", config.log_inp_depth),
        ("weight", config.log_wgt_depth),
        ("accumulator", config.log_acc_depth),
    ):
        if log_depth > _SRAM_BASE_BITS:
            raise refusal(
                config,
                f"the {kind} buffer must hold at most {1 << _SRAM_BASE_BITS} elements "
                f"(sram_base has {_SRAM_BASE_BITS} bits), not {1 << log_depth}",
            )
    uop_bits = config.uop_dst_bits + config.uop_src_bits + config.uop_wgt_bits
    if uop_bits > _UOP_BITS:
        raise refusal(
            config,
            f"a micro-op must fit {_UOP_BITS} bits, not {uop_bits} "
            f"(accumulator index {config.uop_dst_bits}, source index {config.uop_src_bits}, "
            f"weight index {config.uop_wgt_bits}); make a buffer smaller",
        )
    word0 = _GEMM_WORD0_FIXED_BITS + 2 * config.log_uop_depth
    if word0 > _WORD_BITS:
        raise refusal(
            config,
            f"word 0 of GEMM and ALU must fit {_WORD_BITS} bits, not {word0}; "
            "make the micro-op buffer smaller",
        )
    gemm = 2 * (config.log_acc_depth + config.log_inp_depth + config.log_wgt_depth)
    if gemm > _WORD_BITS:  # implied by the micro-op today; kept for the reader and the reason
        raise refusal(config, f"word 1 of GEMM must fit {_WORD_BITS} bits, not {gemm}")
    alu = 4 * config.log_acc_depth + _ALU_WORD1_FIXED_BITS
    if alu > _WORD_BITS:
        raise refusal(
            config,
            f"word 1 of ALU must fit {_WORD_BITS} bits, not {alu}; "
            "make the accumulator buffer smaller",
        )


def _check_requant(config: HwConfig) -> None:
    """The fused operation clips to 8 bits. Its format fits where those of GEMM and ALU do.

    Word 0 has one bit more than GEMM's, and the sum of the latter is odd; word 1 has as many bits
    as ALU's.
    """
    if "alu_requant" in config.capabilities and config.out_width > _REQUANT_OUT_BITS:
        raise refusal(
            config,
            f"capability alu_requant must have an output width of at most {_REQUANT_OUT_BITS} "
            f"bits (it clips to them), not {config.out_width}; use narrower inputs",
        )
