"""The compiler's commands of `vta` (entry-point group `vta_pynq.commands`)."""
