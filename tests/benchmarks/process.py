"""Start-up of `posture score` and memory of a long stream, measured from outside the process."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from training.corpus import LabelledCorpus

_STARTS = 11
_STREAM = 1_000_000
# A process begins with the peak of the one that started it, so a small one starts it here.
_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def start_up(article: Path) -> list[str]:
    """Time of `posture score` on one article against `python -c "import numpy"`, in turn."""
    commands = {
        'python -c "import numpy"': [sys.executable, "-c", "import numpy"],
        f"posture score {article.name}": [command_path("posture"), "score", str(article)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(_STARTS):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - start)
    base = statistics.median(times['python -c "import numpy"'])
    return [
        f"{name:42}{1e3 * statistics.median(t):8.0f} ms{statistics.median(t) / base:7.2f} x"
        for name, t in times.items()
    ]


def memory(corpus: LabelledCorpus) -> list[str]:
    """Peak resident memory of scoring a JSONL file of a million paragraphs, one a row."""
    texts = corpus.texts
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "archive.jsonl")
        with path.open("w", encoding="utf-8") as file:
            for i in range(_STREAM):
                record = {"id": f"paragraph-{i}", "text": texts[i % len(texts)]}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        start = time.perf_counter()
        peak = peak_memory([command_path("posture"), "score", "--unit", "paragraph", str(path)])
        seconds = time.perf_counter() - start
        size = path.stat().st_size
    return [
        f"{_STREAM:,} paragraphs, {size / 1e6:.0f} MB of JSONL: peak {peak:.0f} MB resident",
        f"{_STREAM / seconds:,.0f} paragraphs/s read, scored and written as JSONL",
    ]


def peak_memory(command: list[str]) -> float:
    """Peak resident memory of a command, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command], check=True, capture_output=True, text=True
    )
    return int(done.stdout) / 1024


def command_path(name: str) -> str:
    """Where a command of this environment is installed."""
    return str(Path(sys.executable).with_name(name))
