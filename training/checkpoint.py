"""The state of an unfinished training run, on disk, so that a run that is killed can go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.errors import InputError

if TYPE_CHECKING:
    import torch

_FORMAT = 5  # of the state


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file beside the model folder to be.

    path : None keeps no checkpoint.
    run : says which run it is (recipe and corpus); another run's state is refused.
    """

    path: Path | None
    run: str

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file, or do nothing without a path; a killed save leaves the old one."""
        if self.path is None:
            return
        import torch

        beside = self.path.with_name(f"{self.path.name}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save({"format": _FORMAT, "run": self.run, **state}, beside)
            beside.replace(self.path)
        except (OSError, RuntimeError) as error:  # torch's own for a full disk
            beside.unlink(missing_ok=True)
            msg = (
                f"{self.path}: the checkpoint cannot be written ({error}); free some space, or "
                "choose an --output beside which you may write"
            )
            raise InputError(msg) from error

    def load(self, *, resume: bool) -> dict[str, Any] | None:
        """The state to go on from; None for a new run.

        Raises InputError where a run was interrupted and `resume` is false, where there is none
        to resume, and for a state of another run or of no use.
        """
        if self.path is None or not (self.path.exists() or resume):
            return None
        if not self.path.exists():
            msg = f"{self.path}: no interrupted run to resume; leave --resume out"
            raise InputError(msg)
        if not resume:
            msg = (
                f"{self.path}: a run was interrupted here; add --resume to go on with it, or "
                "delete the file to begin again"
            )
            raise InputError(msg)
        import torch

        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            if state["format"] != _FORMAT:
                msg = "of another version"
                raise ValueError(msg)
        except MemoryError:
            raise
        except OSError as error:
            msg = f"{self.path}: cannot be read ({error.strerror or error}); run it again"
            raise InputError(msg) from error
        except Exception as error:
            msg = (
                f"{self.path}: no whole checkpoint of this version of posture; delete the file and "
                "begin again"
            )
            raise InputError(msg) from error
        if state["run"] != self.run:
            msg = (
                f"{self.path}: the interrupted run had another corpus, encoder or options; give "
                "those again, or delete the file to begin anew"
            )
            raise InputError(msg)
        return state

    def delete(self) -> None:
        """Remove the file of a run that has ended."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def random_state(device: torch.device) -> dict[str, Any]:
    """State of torch's generators that a run on a device draws from.

    Of no other device: to ask a GPU for its state takes some of its memory.
    """
    import torch

    own = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return {"processor": torch.get_rng_state(), "gpu": own}


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Put back what `random_state` gave of such a device."""
    import torch

    torch.set_rng_state(state["processor"])
    if device.type == "cuda" and state["gpu"] is not None:
        torch.cuda.set_rng_state(state["gpu"], device)
