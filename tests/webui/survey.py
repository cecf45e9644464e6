"""Look at every page of a working gateway: `python -m tests.webui.survey RUN DIRECTORY [PASSWORD]`.

Writes a picture of each page at each width, light and dark, and says what axe-core finds wrong.
"""

import sys
import tempfile
from pathlib import Path

from tests.webui.browser import PASSWORD, Served, chromium, log_in, look_everywhere, visitor

PAGES = {
    "home": "/",
    "calls": "/calls/",
    "call": "/calls/1",
    "lines": "/lines/",
    "line": "/lines/main",
    "phones": "/phones/",
    "trunk": "/trunk/",
    "explain": "/trunk/?digits=02079460000",
    "timeline": "/timeline/",
    "system": "/system/",
    "expert": "/expert/",
    "settings": "/settings/",
    "section": "/settings/in/trunk",
    "items": "/settings/in/uplinks",
    "history": "/settings/history",
    "setup-box": "/setup/box",
    "setup-lines": "/setup/lines",
    "setup-trunk": "/setup/trunk",
    "setup-numbers": "/setup/numbers",
    "setup-addresses": "/setup/addresses",
    "setup-phones": "/setup/phones",
    "setup-call": "/setup/call",
    "setup-cable": "/setup/cable",
    "setup-sheet": "/setup/sheet",
}


def main(run: Path, where: Path, password: str, *only: str) -> int:
    """How many faults there are."""
    with tempfile.TemporaryDirectory() as folder:
        served = Served(run, Path(folder) / "log")
        try:
            with chromium() as browser, visitor(browser) as context:
                page = context.new_page()
                page.on("console", lambda said: print(f"console: {said.text}"))
                log_in(page, served.address, password)
                found = []
                for name, address in PAGES.items():
                    if not only or name in only:
                        page.goto(served.address + address)
                        page.wait_for_timeout(300)  # scripts draw
                        found += look_everywhere(page, where, name)
        finally:
            served.close()
    print(*found, sep="\n")
    return len(found)


if __name__ == "__main__":
    sys.exit(
        min(99, main(Path(sys.argv[1]), Path(sys.argv[2]), (sys.argv[3:] or [PASSWORD])[0], *sys.argv[4:]))
    )
