"""Kernels written by hand: each module builds one with `vta_pynq.kernel.KernelBuilder`."""
