"""A judge's ratings: soundly answered ones count, all else is None."""

import asyncio
import json
from typing import Any

import pytest

from evaluation.judging.rubric import bundled_rubrics
from graph.errors import ModelUnavailable
from scripts_library.loading import load_campaigns
from serving.fakes import FakeReply, ScriptedChatModel
from training.rewards.judge import JudgeReward

RUBRIC = bundled_rubrics()["reply"]
STATE = json.dumps(
    {
        "campaign": "lantern_local", "language": "en", "customer": "What does it cost?",
        "history": [{"turn": 3, "customer": "Hi.", "reply": "Hello."}],
    }
)  # fmt: skip
