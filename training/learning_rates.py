"""Learning rates of an encoder: lower from layer to layer, rising and falling over the steps.

The decay by layer is Howard and Ruder's (2018, section 3.2), as a factor a layer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inference.errors import InputError

if TYPE_CHECKING:
    from training.camembert import CamembertRecipe

_LAYER = re.compile(r"\.layers?\.(\d+)\.")
_ABOVE = re.compile(r"pool|final")  # what an encoder has above its layers, as its norm or pooler


def parameter_groups(encoder: Any, recipe: CamembertRecipe) -> list[dict[str, Any]]:
    """Parameters by layer: each with its highest learning rate, and no decay for vectors.

    The layers that the recipe freezes lose their gradient and are in no group. Raises InputError
    where the encoder has too few layers for that, or none that can be told by their names.
    """
    layers = {int(m[1]) for name, _ in encoder.named_parameters() if (m := _LAYER.search(name))}
    n_layers = max(layers, default=-1) + 1
    if recipe.frozen_layers > n_layers or (not n_layers and recipe.layer_decay != 1):
        remedy = "" if n_layers else "--layer-decay 1 "
        msg = (
            f"{recipe.encoder}: has {n_layers} layers that can be told by their names; found "
            f"--freeze-layers {recipe.frozen_layers} and --layer-decay {recipe.layer_decay:g}; add "
            f"{remedy}--freeze-layers {min(recipe.frozen_layers, n_layers)}"
        )
        raise InputError(msg)
    body = f"{encoder.base_model_prefix}."
    groups: dict[tuple[int, bool], list[Any]] = {}
    for name, parameter in encoder.named_parameters():
        found = _LAYER.search(name)
        # 0 for embeddings and all else that serves every layer, 1 to n for layers, n + 1 above
        below = name.startswith(body) and not _ABOVE.search(name)
        depth = int(found[1]) + 1 if found else 0 if below else n_layers + 1
        if depth <= recipe.frozen_layers and recipe.frozen_layers:
            parameter.requires_grad_(requires_grad=False)
            continue
        groups.setdefault((depth, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": own,
            "weight_decay": recipe.weight_decay if is_matrix else 0.0,
            "highest": recipe.learning_rate * recipe.layer_decay ** max(0, n_layers - depth),
        }
        for (depth, is_matrix), own in groups.items()
    ]


def rate_share(progress: float, warm_up: float) -> float:
    """Share of the highest rate: linear from 0 to 1 over `warm_up` of the way, then linear to 0."""
    if progress < warm_up:
        return progress / warm_up
    return (1 - progress) / (1 - warm_up)
