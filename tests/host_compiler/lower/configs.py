"""The configurations that the lowering is tested on."""

from __future__ import annotations

from vta_pynq.config import HwConfig


def _sizes(uop: int, inp: int, wgt: int, acc: int) -> dict[str, int]:
    return {
        "log_uop_buff_size": uop,
        "log_inp_buff_size": inp,
        "log_wgt_buff_size": wgt,
        "log_acc_buff_size": acc,
    }


CONFIGS = {
    "1x16": HwConfig(),
    "2x16": HwConfig(log_batch=1),
    "4x8": HwConfig(log_batch=2, log_block=3, **_sizes(15, 15, 16, 18)),
    "1x32": HwConfig(log_block=5),
    "1x8": HwConfig(log_block=3, **_sizes(15, 14, 16, 16)),
    "1x16-small": HwConfig(**_sizes(9, 10, 13, 13)),
    "1x16-tiny": HwConfig(**_sizes(7, 9, 11, 11)),
    "1x16-few-weights": HwConfig(**_sizes(15, 15, 10, 17)),
    "1x16-short-inputs": HwConfig(**_sizes(12, 10, 16, 17)),
    "2x8-small": HwConfig(log_batch=1, log_block=3, **_sizes(8, 10, 11, 12)),
}
