"""`python -m vta_pynq.cli`: the `vta` command where its script is not on the path."""

from __future__ import annotations

import sys

from vta_pynq.cli import main

sys.exit(main())
