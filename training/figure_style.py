"""The style of the project's figures, and their bytes as SVG and PNG."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from inference.errors import InputError

if TYPE_CHECKING:
    from IPython.display import Image
    from matplotlib.figure import Figure

_WIDTH = 7.0  # inches: a page's text
_SHOWN_DOTS = 100  # an inch, on a notebook's page; half of what the image has
_PALETTE = 64  # colours
_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "figure.dpi": 100,
    "text.parse_math": False,  # a taxonomy's names are no formulas
    "svg.hashsalt": "posture",  # the same report gives the same file
}
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Of whole axes: Tol's muted colours, none of which is a label's (Tol 2021, Colour Schemes).
AXIS_COLOURS = ("#332288", "#882255", "#117733", "#999933")


@contextmanager
def drawing() -> Iterator[None]:
    """The style of the project's figures, while they are drawn or written.

    Raises InputError where matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
    except ImportError as error:
        msg = "figures need matplotlib; install it with: pip install 'posture[figures]'"
        raise InputError(msg) from error
    with rc_context(_STYLE):
        yield


def page_figure(height: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure as wide as a page's text, `height` in inches, and its panels; see `subplots`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.subplots(**grid)


def image(figure: Figure, suffix: str) -> bytes:
    """A figure's bytes as `svg` or `png`; the same each time."""
    buffer = BytesIO()
    with drawing():
        dated = {"Date": None} if suffix == "svg" else {"Software": None}
        figure.savefig(buffer, format=suffix, metadata=dated)
    return buffer.getvalue()


def shown(figure: Figure, alt: str) -> Image:
    """A figure as a notebook's output: small enough to be committed, sharp in print.

    alt : what it shows, in words, for readers who do not see it.
    """
    from IPython.display import Image
    from PIL import Image as Raster

    buffer = BytesIO()
    # The figures have few colours; with a palette of them a file is a third as large.
    with Raster.open(BytesIO(image(figure, "png"))) as drawn:
        drawn.convert("RGB").quantize(_PALETTE).save(buffer, "png", optimize=True)
    width = round(figure.get_figwidth() * _SHOWN_DOTS)
    return Image(buffer.getvalue(), format="png", width=width, alt=alt)
