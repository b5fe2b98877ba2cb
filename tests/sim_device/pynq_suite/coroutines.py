"""A pytest plugin that runs coroutine tests, so that pynq's suite needs no further package."""

import asyncio
import inspect
import json
import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run an `async def` test in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), 60))
    return True


OUTCOMES = {}


def pytest_runtest_logreport(report):
    """Keep the worst outcome of a test's phases."""
    if report.when == "call" or report.outcome != "passed":
        OUTCOMES[report.nodeid] = report.outcome


def pytest_collectreport(report):
    """Keep files that cannot be collected."""
    if report.outcome != "passed":
        OUTCOMES[report.nodeid] = f"not collected ({report.outcome})"


def pytest_sessionfinish(session):
    """Write the outcomes where the caller wants them."""
    with open(os.environ["OUTCOMES"], "w") as file:
        json.dump(OUTCOMES, file)
