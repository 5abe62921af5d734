"""Bytes to text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.decode import decode
from inference.errors import InputError

TEXT = (
    "L’armée française a reçu « douze » obusiers à Châteaudun ; l'œuvre coûte 3 € – c'était "
    "prévu… À suivre, dès août.\n"
)


def misread(text: str) -> str:
    """UTF-8 read as Windows-1252, its five holes as the control characters of Latin-1."""
    return "".join(
        chr(byte) if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else bytes([byte]).decode("cp1252")
        for byte in text.encode()
    )


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("cp1252"),
        misread(TEXT).encode(),
        misread(misread(TEXT)).encode(),
    ],
    ids=["utf-8", "bom", "utf-16-le", "utf-16-be", "windows-1252", "mojibake", "twice"],
)
def test_encodings(data: bytes) -> None:
    assert decode(data, "a.txt") == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "Le signe « Ã » est portugais, comme São Paulo.",
        "Le signe «\N{NO-BREAK SPACE}Ã\N{NO-BREAK SPACE}» est portugais.",
        "La page affichait « Ã© » pour « é » et « Ã¨ » pour « è », un défaut très répandu.",
        "João est né à São João, en l'an ¾ – drôle d'idée.",
        "L'Âge d'or : â € ™ séparés.",
    ],
)
def test_correct_text_is_left_alone(text: str) -> None:
    assert decode(text.encode(), "a.txt") == text


def test_one_mark_is_enough_where_no_accent_is_right() -> None:
    assert decode("La dÃ©fense".encode(), "a.txt") == "La défense"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_characters="ÃÂâÅ\x7f")))
def test_utf_8_comes_back_as_it_was(text: str) -> None:
    assert decode(("x" * 200 + text).encode(), "a.txt") == "x" * 200 + text


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", r"a\.txt: found no text"),
        (b" \r\n\t\xc2\xa0", r"a\.txt: found no text"),
        (b"\xef\xbb\xbf", r"a\.txt: found no text"),
        (b"%PDF-1.7 ...", r"found a PDF, expected text"),
        (b"\x89PNG\r\n", r"found a PNG image"),
        (b"PK\x03\x04....", r"found a zip archive"),
        (b"un\x00deux", r"found binary data"),
        (bytes(range(1, 30)) * 9, r"found binary data"),
        (f"{TEXT}\x02".encode(), r"found binary data \(1 control"),
        (TEXT.encode("utf-16-le"), r"found binary data"),
        (b"\xff\xfea", r"UTF-16 mark and a bad sequence at byte 2"),
        ((TEXT + "é").encode()[:-1], r"UTF-8 with a bad byte on line 2"),
        (TEXT.encode("mac_roman"), r"found an unknown encoding \(byte 0xd5 on line 1\)"),
        ("défense à Orléans, été".encode("cp850"), r"found an unknown encoding"),
        ("Привет мир как дела".encode("cp1251"), r"found an unknown encoding"),
    ],
)
def test_refused(data: bytes, match: str) -> None:
    with pytest.raises(InputError, match=match):
        decode(data, "a.txt")


def test_a_stray_control_character_is_no_binary_data() -> None:
    assert decode((TEXT * 2 + "\x02").encode(), "a.txt") == TEXT * 2 + "\x02"


def test_refusal_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^[^\n]*save it again as UTF-8 text$"):
        decode(b"a\x00b", "a.txt")
