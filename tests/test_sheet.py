"""A recovery sheet is read back by hand or by camera, and a slip is named by its line."""

import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import sheet, sheetpage
from gateway.errors import RefusedError, SettingsError

ABOUT = sheetpage.About("office <1>", "made 2026-11-23 10:00")


def backup(size: int) -> bytes:
    return Random(size).randbytes(size)


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        sheet.read(text, "sheet.txt")
    return [f"{p.path} ({p.line}): {p.what}. {p.remedy}" for p in caught.value.problems]


@pytest.mark.parametrize("size", [0, 1, 24, 25, 26, 700, 701, 2900, sheet.MAX_BYTES])
def test_both_ways_back(size: int) -> None:
    data = backup(size)
    assert sheet.read("\n".join(sheet.lines(data)), "x") == data
    assert sheet.read("\n".join(sheet.codes(data)), "x") == data
    assert sheet.read(sheetpage.text(data, ABOUT), "x") == data
    assert all(sheet.is_sheet(line.encode()) for line in [sheet.lines(data)[0], *sheet.codes(data)])


def test_too_long_for_paper() -> None:
    for make in (sheet.lines, sheet.codes):
        with pytest.raises(RefusedError, match="does not fit on paper"):
            make(backup(sheet.MAX_BYTES + 1))


@settings(max_examples=60)
@given(st.binary(max_size=400), st.randoms(use_true_random=False))
def test_as_people_type(data: bytes, random: Random) -> None:
    """Small letters, O for 0 and l for 1, other blanks, lines in any order, prose around them."""
    head, *rest = sheet.lines(data)
    random.shuffle(rest)
    typed = []
    for line in rest:
        number, *groups = line.split()
        chars = "".join(groups).replace("0", random.choice("0Oo")).replace("1", random.choice("1lIi"))
        typed.append(f" {number}. {chars.lower() if random.random() < 0.5 else '-'.join(chars)}")
    text = "\n".join(["Office, 2026", "", head.lower(), "# typed on Monday", *typed, ""])
    assert sheet.read(text, "x") == data


@settings(max_examples=60)
@given(st.binary(min_size=60, max_size=200), st.data())
def test_every_single_slip_is_named_by_its_line_and_group(data: bytes, draw: st.DataObject) -> None:
    lines = sheet.lines(data)
    number = draw.draw(st.integers(1, len(lines) - 2))
    words = lines[number].split()
    group = draw.draw(st.integers(1, len(words) - 2))
    place = draw.draw(st.integers(0, len(words[group]) - 1))
    right = words[group]
    wrong = draw.draw(st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ").filter(lambda c: c != right[place]))
    words[group] = right[:place] + wrong + right[place + 1 :]
    [problem] = problems("\n".join([*lines[:number], " ".join(words), *lines[number + 1 :]]))
    assert problem.startswith(f"sheet line {number} ({number + 1}): its check does not fit")
    assert f"Look at group {group}: is it {right}?" in problem or "Compare each group" in problem


def test_what_is_wrong_is_named() -> None:
    lines = sheet.lines(backup(120))  # five lines
    whole = "\n".join(lines)
    assert problems("") == problems("no sheet at all") and "head (0)" in problems("")[0]
    assert "head (1)" in problems("Steadyline recovery sheet 1: many lines")[0]
    assert "3 lines do not make 120 bytes" in problems(whole.replace("5 lines", "3 lines"))[0]
    assert problems("\n".join([lines[0], *lines[4:]]))[0].startswith("sheet lines 1 to 3 (0): missing")
    twice = problems("\n".join([*lines, "2  " + lines[3].strip().split(None, 1)[1]]))
    assert len(twice) == 1 and "sheet line 2 (7)" in twice[0]
    assert "no line of the sheet" in problems(whole + "\n99 AAAAA")[0]
    assert "44 are needed" in problems(whole.replace(lines[2], lines[2][:-7]))[0]
    assert "A V, perhaps?" in problems(whole.replace(lines[2], lines[2][:5] + "U" + lines[2][6:]))[0]
    other = sheet.lines(backup(121))
    assert (
        "not that of the head"
        in problems("\n".join([lines[0], *sheet.lines(backup(120)[:119] + b"x")[1:]]))[0]
    )
    assert len(problems("\n".join([other[0], *lines[1:]]))) == 1, (
        "the last line is shorter than this head says"
    )
    assert len(problems("\n".join([sheet.lines(backup(9000))[0], "x" * 10, *("y" for _ in range(99))]))) == 51


def test_what_is_wrong_with_codes_is_named() -> None:
    codes = sheet.codes(backup(3000))
    assert len(codes) == 5
    assert problems("\n".join([*codes[:1], *codes[3:]])) == [
        "codes 2 to 3 (0): missing; the sheet has 5. Scan it too"
    ]
    assert problems(codes[0][:20]) == ["code (1): it is not whole. Scan it again"]
    wrong = "A" if codes[0][60] != "A" else "B"
    assert problems(codes[0][:60] + wrong + codes[0][61:]) == [
        "code 1 (1): it is damaged. Scan it again",
        "codes 2 to 5 (0): missing; the sheet has 5. Scan it too",
    ]
    assert any(
        "of another sheet" in told for told in problems("\n".join([*codes, sheet.codes(backup(10))[0]]))
    )


@settings(max_examples=200)
@given(st.text(max_size=400), st.booleans())
def test_anything_at_all_is_read_or_named(text: str, headed: bool) -> None:
    head = "STEADYLINE RECOVERY SHEET 1: 2 LINES, 30 BYTES, CHECK 0123456789\n"
    assert problems((head if headed else "") + text)


# --- paper ------------------------------------------------------------------------------------------------


def decoded(page: str, directory: Path) -> set[str]:
    """What a QR reader sees on a page (zbar, from pixels)."""
    if not (shutil.which("rsvg-convert") and shutil.which("zbarimg")):
        pytest.fail("librsvg2-bin and zbar-tools are needed (image/packages.txt, [lab])")
    picture = directory / "page.png"
    subprocess.run(
        ["rsvg-convert", "-d", "150", "-p", "150", "-o", str(picture)], input=page.encode(), check=True
    )
    read = subprocess.run(
        ["zbarimg", "-q", "--raw", str(picture)], capture_output=True, text=True, check=True
    )
    return set(read.stdout.split())


def test_a_reader_of_codes_gets_the_backup_back(tmp_path: Path) -> None:
    data = backup(3000)
    pages = sheetpage.pages(data, ABOUT)
    seen = decoded(pages[0], tmp_path) | decoded(pages[1], tmp_path)
    assert seen == set(sheet.codes(data))
    assert sheet.read("\n".join(seen), "x") == data


def test_pages_say_what_they_are_and_fetch_nothing() -> None:
    data = backup(3000)
    pages = sheetpage.pages(data, ABOUT)
    assert len(pages) == 2 + 3, "four codes on a page, 52 lines on a page"
    for number, page in enumerate(pages, start=1):
        assert f"page {number} of 5" in page and "office &lt;1&gt;" in page and sheet.digest(data) in page
        assert page.count("http") == 1, "the name space of SVG"
    for line in sheet.lines(data):
        assert sum(line in page for page in pages) == 1
    document = sheetpage.document(data, ABOUT)
    assert document.startswith("<!doctype html>") and document.count("<svg") == 5
