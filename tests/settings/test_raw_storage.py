"""A box that was given away: nothing of its past is on the raw disk, and a copy of its vault does not
open."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.settings.keys import Keys
from gateway.settings.vault import Vault
from tests.settings import raw
from tests.settings.writers import Paths

pytestmark = pytest.mark.root


def test_twenty_secrets_are_gone_from_the_raw_disk(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("needs root and mkfs.ext4")
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    try:
        with raw.mounted(image, place):
            planted = raw.live(place)
            shutil.copytree(Paths(place).vault, tmp_path / "copy")
    except subprocess.CalledProcessError:
        pytest.skip("no image can be mounted here")
    there = raw.left(image, planted)
    assert len(there) >= 8, "what is not found while it is there would prove nothing"
    with raw.mounted(image, place):
        raw.give_away(place)
        assert not list(Paths(place).keys.iterdir())
        stolen = Vault(tmp_path / "copy", Keys(Paths(place).keys, {}))
        assert stolen.look().sound == () and stolen.look().told
    assert raw.left(image, planted) == []
