"""Graph passes: each takes a verified graph and returns a new one that computes the same."""

from host_compiler.passes.pipeline import Arithmetic, prepare

__all__ = ["Arithmetic", "prepare"]
