"""Files and folders to articles; what the suffix says decides how each is read."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from inference.article import Article
from inference.decode import decode
from inference.errors import InputError
from inference.markdown import read_markdown
from inference.web_page import read_web_page


def read_article(path: Path) -> Article:
    """Read one file; its name without the suffix is the article's id.

    A .txt file is the article's text as it stands. Of a .md file and a .html file, `text` is what
    a reader sees: markup is removed first, and paragraphs are slices of the result.

    Raises
    ------
    InputError
        When the file cannot be opened, is of another kind, or holds no article.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path}: found a file of kind {path.suffix or 'unknown'!r}, expected one of "
            f"{', '.join(_READERS)}; convert it or give another file"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: found no readable file ({error.strerror}), expected an article; "
            "check the path and its permissions"
        ) from error
    return reader(data, path)


def read_stream(data: bytes, suffix: str, where: str) -> Article:
    """Read what came without a file, as a file of that suffix is read; `where` is its id."""
    return _READERS[suffix](data, Path(where))


def article_paths(path: Path) -> Iterator[Path]:
    """Give a folder's articles, subfolders' too, sorted; hidden files are left out.

    A file's own path is given back. Links to folders are not followed.

    Raises
    ------
    InputError
        When the path does not exist, or the folder holds no article, a subfolder that cannot be
        read, or a pipe or a device that is named like an article. At once, not on iteration.
    """
    if not is_folder(path):
        return iter([path])
    found: list[Path] = []
    for folder, subfolders, names in os.walk(path, onerror=_refuse_folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += [
            Path(folder, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in _READERS
        ]
    if not found:
        raise InputError(
            f"{path}: found no article in the folder, expected files in {', '.join(_READERS)}; "
            "give another folder"
        )
    for file in found:
        if not stat.S_ISREG(_mode(file)):  # to read a pipe is to wait for its writer
            raise InputError(
                f"{file}: found no regular file (a pipe or a device?), expected an article; move "
                "it out of the folder"
            )
    return iter(sorted(found))


def is_folder(path: Path) -> bool:
    """Whether a folder is at the path, and not a file. Raises InputError where nothing is."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError as error:
        raise InputError(
            f"{path}: does not exist or cannot be read ({error.strerror}), expected a file or a "
            "folder; check the path and its permissions"
        ) from error


def _refuse_folder(error: OSError) -> None:
    raise InputError(
        f"{error.filename}: found a folder that cannot be read ({error.strerror}), expected "
        "articles; check its permissions, or move it out of the folder above"
    ) from error


def _read_text(data: bytes, path: Path) -> Article:
    return Article.from_text(decode(data, str(path)), id=path.stem)


_READERS: dict[str, Callable[[bytes, Path], Article]] = {
    ".txt": _read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_web_page,
    ".htm": read_web_page,
}
