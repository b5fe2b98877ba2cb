#!/usr/bin/env python3
"""Set up the virtual environment of the Makefile and build the C extensions in place.

Runs on the standard library of any python3. What is current is left alone: the environment when
the metadata and constraints are those it was made from, the extensions when their sources are.
Exit code 2: something is missing that this script may not install; the message says how.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUPPORTED = ((3, 10), (3, 11), (3, 12))
EXTRAS = "compiler,notebooks,remote,pool,dev"
CONSTRAINTS = "requirements/constraints.txt"
CSIM = "requirements/csim.txt"
ENV_INPUTS = ("setup.cfg", CONSTRAINTS, CSIM, "scripts/setup_env.py")
TEST_TOOLS = {"tclsh": "tcl", "iverilog": "iverilog"}
"""Programs that tests of the hardware's scripts and Verilog run, and their Debian packages."""
BUILD_PATTERNS = ("setup.py", "vta_pynq/**/build_*.py", "vta_pynq/**/*.[ch]", "vta_pynq/**/*.inc")

_PROBE = """
import json, sys, sysconfig, os
paths = sysconfig.get_paths()
try:
    import ensurepip, venv
    venv_whole = True
except ImportError:
    venv_whole = False
print(json.dumps({
    "version": list(sys.version_info[:2]),
    "executable": sys.executable,
    "header": any(os.path.exists(os.path.join(paths[key], "Python.h"))
                  for key in ("include", "platinclude")),
    "venv_whole": venv_whole,
    "cc": sysconfig.get_config_var("CC") or "cc",
}))
"""


class SetupError(Exception):
    """Something is missing; the message says what to do."""


def say(text):
    print(f"setup: {text}", flush=True)


def run(*command):
    done = subprocess.run([str(word) for word in command], cwd=ROOT, check=False)
    if done.returncode:
        raise SetupError(
            f"command must succeed, not exit with {done.returncode}: "
            f"{' '.join(map(str, command))}; its messages are above"
        )


def probe(interpreter):
    """What an interpreter offers; None if it does not run or its version is not supported."""
    # A name on PATH may be a version manager's shim that refuses to run.
    done = subprocess.run(
        [interpreter, "-c", _PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        return None
    found = json.loads(done.stdout.decode())
    return found if tuple(found["version"]) in SUPPORTED else None


def find_interpreter():
    """The running interpreter if it is supported, else the newest supported one on PATH."""
    names = [f"python{major}.{minor}" for major, minor in reversed(SUPPORTED)]
    for candidate in [sys.executable, *filter(None, map(shutil.which, names))]:
        found = probe(candidate)
        if found:
            return found
    have = ".".join(map(str, sys.version_info[:2]))
    raise SetupError(
        f"Python must be 3.10, 3.11 or 3.12, not {have}, and none of {', '.join(names)} on PATH "
        "runs; install one of them, or name it: make PYTHON=/path/to/python3.11"
    )


def apt_install(packages):
    """Install Debian packages if we may; otherwise say how."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not shutil.which("apt-get"):
        raise SetupError(
            f"needed and missing (by their Debian names): {', '.join(packages)}; "
            "install them and run this again"
        )
    if os.geteuid() != 0:
        raise SetupError(f"needed and missing: run 'sudo {' '.join(command)}', then this again")
    say("installing " + " ".join(packages))
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    run("apt-get", "update", "-q")
    run(*command)


def has_compiler(python):
    # The compiler that setuptools will call: CC, or the one the interpreter was built with.
    words = (os.environ.get("CC") or python["cc"]).split()
    return bool(shutil.which(words[0]) or shutil.which("cc"))


def require_toolchain(python):
    """Make sure that C extensions can be built; the interpreter's facts, seen anew."""
    dotted = ".".join(map(str, python["version"]))
    packages = []
    if not has_compiler(python):
        packages.append("build-essential")
    if not python["header"]:
        packages.append(f"python{dotted}-dev")
    if not packages:
        return
    apt_install(packages)
    again = probe(python["executable"])
    if not has_compiler(python) or not again["header"]:
        raise SetupError(
            f"a C compiler and Python.h of {python['executable']} must be there after installing "
            f"{' '.join(packages)}; install the headers of this interpreter"
        )


def offer_test_tools():
    """Install what some tests run, where that needs no question; they skip without it."""
    missing = {name: package for name, package in TEST_TOOLS.items() if not shutil.which(name)}
    if not missing:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt_install(missing.values())
    else:
        say(f"tests that need {', '.join(missing)} will be skipped; install "
            f"{' '.join(missing.values())} to run them")  # fmt: skip


def wheel_of_pip(python, folder):
    """A wheel of pip where the interpreter has no ensurepip: from its own pip, or Debian's."""
    subprocess.run(
        [python["executable"], "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "pip"],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    places = (pathlib.Path(folder), pathlib.Path("/usr/share/python-wheels"))
    wheels = [wheel for place in places for wheel in sorted(place.glob("pip-*.whl"))]
    return wheels[0] if wheels else None


def create_venv(python, venv):
    """An environment with pip, also where Debian splits ensurepip off from python3."""
    shutil.rmtree(venv, ignore_errors=True)
    say(f"creating {venv.name} with {python['executable']}")
    if python["venv_whole"]:
        run(python["executable"], "-m", "venv", venv)
        return
    with tempfile.TemporaryDirectory() as folder:
        wheel = wheel_of_pip(python, folder)
        if wheel is None:
            apt_install([f"python{'.'.join(map(str, python['version']))}-venv"])
            run(python["executable"], "-m", "venv", venv)
            return
        run(python["executable"], "-m", "venv", "--without-pip", venv)
        # A wheel is a zip file, and Python runs the package inside it.
        run(venv / "bin/python", f"{wheel}/pip", "install", "-q", "--no-index", wheel)


def usable(venv):
    """Whether an environment is there that more can be installed into."""
    interpreter = venv / "bin/python"
    if not interpreter.exists() or probe(str(interpreter)) is None:
        return False
    words = [str(interpreter), "-m", "pip", "--version"]
    return subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode == 0


def digest(paths):
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        total.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def build_inputs():
    """The sources of the extensions, without what cffi writes beside its build scripts."""
    found = [path for pattern in BUILD_PATTERNS for path in ROOT.glob(pattern)]
    written = {
        script.parent / f"_{script.stem[6:]}.c" for script in ROOT.glob("vta_pynq/**/build_*.py")
    }
    return [path for path in found if path not in written and path.is_file()]


def install(venv):
    # Python compiles a module when it first loads it: most of what is installed never is.
    quiet = ("-q", "--no-compile", "--disable-pip-version-check")
    pip = (venv / "bin/python", "-m", "pip", "install", *quiet)
    # An editable install without isolation takes what builds it from the environment.
    run(*pip, "-c", CONSTRAINTS, "pip", "setuptools", "wheel", "cffi", "numpy")
    say("installing the dependencies (a few minutes the first time)")
    compat = ("--config-settings", "editable_mode=compat")
    run(*pip, "-c", CONSTRAINTS, "--no-build-isolation", *compat, "-e", f".[{EXTRAS}]")
    run(*pip, "--no-deps", "-r", CSIM)


def build(venv):
    say("building the C extensions")
    run(venv / "bin/python", "setup.py", "-q", "build_ext", "--inplace", "--force")


def extensions():
    """The C extensions that are there, whether or not they are current."""
    return list(ROOT.glob("vta_pynq/**/*.so"))


def current(stamp, value):
    return stamp.exists() and stamp.read_text(encoding="utf-8") == value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", default=".venv", help="folder of the environment")
    parser.add_argument("--rebuild", action="store_true", help="build the extensions in any case")
    arguments = parser.parse_args()
    venv = (ROOT / arguments.venv).absolute()
    env_stamp, build_stamp = venv / "env.stamp", venv / "build.stamp"
    env_value = digest([ROOT / name for name in ENV_INPUTS])
    try:
        if not current(env_stamp, env_value):
            env_stamp.unlink(missing_ok=True)
            python = find_interpreter()
            require_toolchain(python)
            offer_test_tools()
            if not usable(venv):
                create_venv(python, venv)
            first = not extensions()
            value = digest(build_inputs())
            install(venv)
            env_stamp.write_text(env_value, encoding="utf-8")
            if first and extensions():
                # An editable install has built them; over old ones it may leave them as they are.
                build_stamp.write_text(value, encoding="utf-8")
        value = digest(build_inputs())
        if arguments.rebuild or not current(build_stamp, value):
            build(venv)
            build_stamp.write_text(value, encoding="utf-8")
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
