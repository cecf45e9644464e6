"""One laboratory for all tests of this folder, put in order again after each."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import plan
from tests.lab.caller import Caller
from tests.lab.lab import Lab


@pytest.fixture(scope="session")
def whole_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    logs: Path = tmp_path_factory.mktemp("lab")
    with Lab(logs, configure_routes=True) as lab:
        yield lab


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    yield whole_lab
    for uplink in plan.UPLINKS:
        whole_lab.heal(uplink)
        whole_lab.restore_carrier(uplink)
    whole_lab.provider.start()
    whole_lab.provider.mode(strict_in_dialog=False, silent_strangers=False, overloaded="")


@pytest.fixture
def main(lab: Lab) -> Iterator[Caller]:
    """A caller on the main uplink, its address confirmed."""
    lab.provider.confirm_all()
    with Caller(lab, "203.0.113.2") as caller:
        yield caller


@pytest.fixture
def backup(lab: Lab) -> Iterator[Caller]:
    """A caller on backup1, behind NAT, that writes its public address; confirmed."""
    lab.provider.confirm_all()
    with Caller(lab, "192.168.20.2", public=plan.BACKUP1.public) as caller:
        yield caller
