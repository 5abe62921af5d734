"""Bytes of unknown encoding to text: UTF-8, UTF-16, Windows-1252, and mojibake mended."""

import codecs
import re

from inference.errors import InputError

_MAGIC = {
    b"%PDF-": "a PDF",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"PK\x03\x04": "a zip archive or an office document (docx, odt, xlsx, epub)",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0": "an old office document (doc, xls)",
    b"{\\rtf": "an RTF document",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"PAR1": "a parquet table",
}
_EXPECTED = "expected text in UTF-8, UTF-16 with BOM or Windows-1252"
_RESAVE = "save it again as UTF-8 text"
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MAX_CONTROLS = 1 / 200  # PDF copies hold a stray \x02; binary files hold far more
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH = re.compile(r"[^\x00-\x7f]")
# What French text in Windows-1252 holds outside ASCII. Mac Roman, CP850 or KOI8 read as
# Windows-1252 hold mostly other letters.
_FRENCH = re.compile(r"[àâäæçéèêëîïôöœùûüÿÀÂÄÆÇÉÈÊËÎÏÔÖŒÙÛÜŸñáíóúãõ«»“”‘’„–—…•·°²³€£§©®™\xa0\xad]")
_ACCENTED = re.compile(r"[àâçéèêëîïôöœùûüÀÇÉÈÊËÎÏÔŒÙ]")
# "Ã©", "â€™", "Â«" and "Å“": the UTF-8 of a French letter or sign read as Windows-1252. A second
# reading turns the first character of each into "Ãƒ", "Ã¢" or "Ã‚". « Ã » in a text is none.
_MOJIBAKE = re.compile(
    "Ã[\x80-\x9f\xa1-\xbfƒ‚„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œžŸ]|Ã[ \xa0](?=[ \\w])"
    "|â(?:€[\x9c\x9d\x99\x93\x94œ™˜“”¦¢°]|‚¬|„¢)|Â[\xa0«»°²³©]|Å[“’]"
)


def decode(data: bytes, where: str) -> str:
    """Decode a file's bytes; mojibake (UTF-8 once or twice read as Windows-1252) is repaired.

    Parameters
    ----------
    data
        The whole file.
    where
        Its name, for messages.

    Raises
    ------
    InputError
        When the file is empty, binary, or in none of the encodings known.
    """
    for magic, name in _MAGIC.items():
        if data.startswith(magic):
            raise InputError(f"{where}: found {name}, {_EXPECTED}; extract its text first")
    text = _read(data, where)
    controls = len(_CONTROLS.findall(text))
    if "\x00" in text or controls > len(text) * _MAX_CONTROLS:
        raise InputError(
            f"{where}: found binary data ({controls} control characters in {len(text)}), "
            f"{_EXPECTED}; {_RESAVE}"
        )
    if not text.strip("\ufeff\u200b \t\r\n\f\v\xa0\u2028\u2029\u202f"):
        raise InputError(f"{where}: found no text, expected an article; check that it was saved")
    return mend_mojibake(text)


def _read(data: bytes, where: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{where}: found a UTF-16 mark and a bad sequence at byte {error.start}, "
                f"{_EXPECTED}; {_RESAVE}"
            ) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if b"\x00" in data:
            raise InputError(
                f"{where}: found binary data (a NUL byte), {_EXPECTED}; {_RESAVE}"
            ) from error
        lone = sum(byte > 0x7F for byte in _MULTIBYTE.sub(b"", data))
        whole = len(_MULTIBYTE.findall(data))
        # Mostly good UTF-8: as Windows-1252 it would be mojibake from end to end.
        if whole > lone:
            raise InputError(
                f"{where}: found UTF-8 with a bad byte on line {line} (cut short, or two encodings "
                f"mixed), {_EXPECTED}; {_RESAVE}"
            ) from error
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            text = ""
        if len(_FRENCH.findall(text)) < max(1.0, 0.7 * len(_HIGH.findall(text))):
            raise InputError(
                f"{where}: found an unknown encoding (byte 0x{data[error.start]:02x} on line "
                f"{line}), {_EXPECTED}; {_RESAVE}"
            ) from error
        return text


def mend_mojibake(text: str) -> str:
    """Repair mojibake, where its marks outnumber the accented letters of correct French."""
    marks = len(_MOJIBAKE.findall(text))
    # Also protects a correct text that quotes "Ã©".
    if not marks or marks <= len(_ACCENTED.findall(_MOJIBAKE.sub("", text))):
        return text
    from ftfy import fix_encoding  # 30 ms, and seldom needed

    # Line by line: one line that cannot be repaired must not keep the others broken.
    return "".join(fix_encoding(line) for line in text.splitlines(keepends=True))
