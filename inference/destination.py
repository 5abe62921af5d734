"""Where results go: standard output, or a file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from inference.errors import InputError


@contextmanager
def destination(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears whole when all is written."""
    if output is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing left to flush
            msg = f"standard output: cannot be written ({error.strerror}); make room and run again"
            raise InputError(msg) from error
        return
    try:
        if output.exists() and not output.is_file():  # a pipe or a device
            with output.open("wb") as stream:
                yield stream
            return
        output = Path(os.path.realpath(output))  # a link stays a link
        if output.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        mode = output.stat().st_mode & 0o777 if output.exists() else 0o644
        with tempfile.NamedTemporaryFile(
            dir=output.parent, prefix=f".{output.name}-", delete=False
        ) as file:
            temporary = Path(file.name)
            try:
                yield file.file
                file.flush()
                temporary.chmod(mode)  # NamedTemporaryFile's is for its owner alone
                temporary.replace(output)
            finally:
                temporary.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        msg = f"{output}: cannot be written ({error.strerror or error}); nothing was changed"
        raise InputError(msg) from error


def check_new(*paths: Path) -> None:
    """Raise InputError where a file to be filled in exists already: it may hold labels."""
    for path in paths:
        if path.exists():
            msg = (
                f"{path}: exists already and may hold somebody's labels; expected a new name; "
                "move it away or write elsewhere"
            )
            raise InputError(msg)
