"""Judge the sources: format, lint, types, generated files, the rules of the project.

Every check runs, whatever the others say; exit code 1 if one fails.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

from source_copy import ROOT

STRICT = ("vta_pynq", "host_compiler")
"""What `mypy --strict` judges."""

SITE = "build/site"
"""Where the documentation is built to be judged."""

C_FOLDERS = ("vta_pynq", "hls", "host_compiler")
C_SUFFIXES = {".c", ".h", ".cpp", ".hpp"}


def c_sources() -> list[str]:
    """Our own C and C++, without what is generated or written by cffi beside a build script."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for folder in C_FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in C_SUFFIXES and "generated" not in path.parts and not _by_cffi(path)
    )


def _by_cffi(path: pathlib.Path) -> bool:
    return path.suffix == ".c" and (path.parent / f"build{path.stem}.py").exists()


def checks() -> dict[str, list[str]]:
    """Name and command of every check."""
    python = [sys.executable, "-m"]
    tool = pathlib.Path(sys.executable).parent
    return {
        "ruff format": [*python, "ruff", "format", "--check", "--quiet", "--diff", "."],
        "ruff check": [*python, "ruff", "check", "--quiet", "."],
        "mypy": [*python, "mypy", "--strict", "--no-error-summary", *STRICT],
        "clang-format": [str(tool / "clang-format"), "--dry-run", "-Werror", *c_sources()],
        "generated files": [sys.executable, "scripts/gen.py", "--check"],
        "documentation": [*python, "mkdocs", "build", "--strict", "--quiet", "--site-dir", SITE],
        "rules": [*python, "pytest", "-q", "-m", "not slow and not board", "tests/project"],
    }


def main() -> int:
    """Run the checks that are named on the command line, all by default."""
    table = checks()
    names = sys.argv[1:] or list(table)
    failed = []
    for name in names:
        if name not in table:
            print(f"check: name must be one of {', '.join(table)}, not {name!r}", file=sys.stderr)
            return 2
        print(f"check: {name}", flush=True)
        if subprocess.run(table[name], cwd=ROOT, check=False).returncode:
            failed.append(name)
    print(f"check: {', '.join(failed)} failed" if failed else "check: all fine")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
