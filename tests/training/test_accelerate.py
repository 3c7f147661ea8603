"""The configurations for several GPUs are read by this accelerate, and leave a run's result whole."""

from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import load_config_from_file

FOLDER = Path(__file__).parents[2] / "training" / "configs" / "accelerate"


@pytest.mark.parametrize(
    ("name", "section", "machines", "saved_whole"),
    [
        ("fsdp", "fsdp_config", 1, ("fsdp_state_dict_type", "FULL_STATE_DICT")),
        ("deepspeed_zero3", "deepspeed_config", 1, ("zero3_save_16bit_model", True)),
        ("deepspeed_zero2", "deepspeed_config", 1, ("zero_stage", 2)),
        ("multi_node", "fsdp_config", 2, ("fsdp_state_dict_type", "FULL_STATE_DICT")),
    ],
)
def test_accelerate_reads_the_configuration(
    name: str, section: str, machines: int, saved_whole: tuple[str, Any]
) -> None:
    config = load_config_from_file(str(FOLDER / f"{name}.yaml"))
    assert config.num_machines == machines
    assert config.num_processes % machines == 0
    key, value = saved_whole
    assert getattr(config, section)[key] == value
