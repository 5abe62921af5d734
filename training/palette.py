"""The colour of each label, the same in every figure and notebook of the project.

Okabe and Ito (2008), Color Universal Design: told apart by the colour-blind, and in print.
"""

from __future__ import annotations

from inference.taxonomy import Taxonomy

# In column order of the shipped taxonomy: four topics, then deterrence, escalation, neutral.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#7F7F7F")


def label_colours(taxonomy: Taxonomy) -> dict[str, str]:
    """`axis.code` → hexadecimal colour; a taxonomy of more labels begins again at the first."""
    return {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(taxonomy.column_names)}
