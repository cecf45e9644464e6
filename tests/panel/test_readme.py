"""The page about lamp and button is drawn from their tables."""

from gateway.panel.lamps import STATES
from tests.panel import readme


def test_the_page_is_what_the_tables_say() -> None:
    assert readme.README.read_text() == readme.text(), "make reference"


def test_a_drawing_shows_the_rhythm() -> None:
    assert readme.drawn(STATES["main"]) == "█" * 40
    assert readme.drawn(STATES["attention"]) == ("█" * 10 + "·" * 10) * 2
    assert readme.drawn(STATES["backup"]) == ("█" * 18 + "··") * 2
