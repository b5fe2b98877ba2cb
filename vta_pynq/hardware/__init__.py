"""Builds of the project's own hardware: what goes into one, and what comes out of it.

`plan` says what to build, in terms that `hls/scripts/*.tcl` follow; `build` runs the vendor's
tools and judges the result; `resources` estimates before anything is built; `ranking` compares
variants for a model. Nothing here has been run with the vendor's tools (docs/building-hardware.md).
"""
