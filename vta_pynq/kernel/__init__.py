"""Kernel builder: instructions, micro-ops and tokens from a few Python calls."""

from vta_pynq.kernel.buffers import DramBuffer, DramView
from vta_pynq.kernel.builder import KernelBuilder
from vta_pynq.kernel.debug import Debug
from vta_pynq.kernel.kernel import Kernel
from vta_pynq.kernel.plans import MicroOps, Plan

__all__ = ["Debug", "DramBuffer", "DramView", "Kernel", "KernelBuilder", "MicroOps", "Plan"]
