"""The extra `training`: what a base install lacks, told in one line."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from graph.errors import BadInput

EXTRA = {"accelerate", "datasets", "gguf", "onnx", "peft", "tensorboard", "torch", "transformers", "trl", "vl_convert"}
"""Packages of the extra `training`."""


@contextmanager
def training_ready() -> Iterator[None]:
    """Let a command train, or say in one line what it lacks."""
    # TRL's own defaults use names that transformers has deprecated.
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise BadInput(
            f"Training needs the package {error.name}; install the extra `training`: make train-env."
        ) from error
