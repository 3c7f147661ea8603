"""The one console command, `salesman`."""

import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

os.environ.setdefault("GOMP_SPINCOUNT", "300")
"""OpenMP's threads sleep while they wait: spinning, they starve the model server on the same cores. Set before numpy loads."""

from evaluation.commands import app as evaluate_app
from graph import commands as calls
from graph import desk_commands
from graph.errors import SalesmanError
from graph.settings import get_settings
from graph.terminal import dump, note, say
from scripts_library.commands import app as scripts_app
from training.commands import app as train_app
from ui import commands as ui_commands

app = typer.Typer(
    help="Guarded sales conversations on your own machine.", no_args_is_help=True, pretty_exceptions_enable=False
)
models_app = typer.Typer(help="Model weights: what there is, and fetching them.", no_args_is_help=True)
app.command()(calls.chat)
app.command()(calls.demo)
app.command("app")(ui_commands.serve_app)
app.add_typer(scripts_app, name="scripts")
app.add_typer(ui_commands.users, name="users")
app.add_typer(models_app, name="models")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(train_app, name="train")
app.command()(calls.show)
app.command()(calls.export)
app.command()(desk_commands.outcomes)
app.add_typer(desk_commands.marks_app, name="marks")
app.add_typer(desk_commands.outbox_app, name="outbox")


@models_app.command("list")
def list_models(as_json: calls.JsonOption = False) -> None:
    """List the catalogue: name, size, licence, and whether the weights are here."""
    from serving.launch import list_models as rows

    for row in rows(get_settings()):
        if as_json:
            dump(asdict(row))
        else:
            here = "here" if row.pulled else "not fetched"
            say(f"{row.name:32} {row.megabytes:5} MB  {row.licence:11} {here:12} {row.note}")


@models_app.command("pull")
def pull_model(
    name: Annotated[str, typer.Argument(help="A name from `salesman models list`.")] = "",
    verify: Annotated[bool, typer.Option("--verify", help="Hash weights again that are here already.")] = False,
) -> None:
    """Fetch a model's weights, checked against their hash; the default model when no name is given."""
    from serving.launch import pull

    settings = get_settings()
    say(str(pull(name or settings.llm, settings, verify=verify)))


@app.command()
def serve(
    engine: Annotated[Literal["llama.cpp", "vllm"], typer.Option(help="Which server.")] = "llama.cpp",
    model: Annotated[str, typer.Option(help="A name from the catalogue; for vLLM also a hub name or a folder.")] = "",
    adapter: Annotated[
        Path | None, typer.Option(help="LoRA adapter: GGUF for llama.cpp, PEFT folder for vLLM.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Serve a model by the OpenAI API until it is stopped; point `SALESMAN_LLM_BASE_URL` at it."""
    from serving.launch import serve as launch

    launch(engine, model or None, adapter, host, port, get_settings())


@app.command()
def doctor() -> None:
    """Say what is there, what is missing, and how to get it."""
    from graph.doctor import examine

    checks = examine(get_settings())
    for check in checks:
        mark = "ok" if check.fine else "NO" if check.needed else "--"
        say(f"{mark}  {check.name}: {check.finding}")
        if check.remedy:
            say(f"     → {check.remedy}")
    if not all(check.fine or not check.needed for check in checks):
        raise typer.Exit(1)


def main() -> None:
    """Run the command; an error that a person can mend is one line and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except SalesmanError as error:
        note(f"salesman: {error}")
        sys.exit(2)


if __name__ == "__main__":
    main()
