"""What every test shares: root where it is needed, and property tests that do not depend on luck in CI."""

import os

import pytest
from hypothesis import settings

pytest_plugins = ["tests.vm.hardware"]

# A shared machine may stall any single example; how long things take is for tests/bench.
settings.register_profile("developer", deadline=None)
# The same examples on each run: a change is judged by what it changes. Developers find new ones.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("STEADYLINE_VM") != "1":
        for item in items:
            if item.get_closest_marker("vm"):
                item.add_marker(pytest.mark.skip(reason="needs simulated hardware: make vm"))
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root for network namespaces"))
