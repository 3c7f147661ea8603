"""`salesman evaluate`: each room's commands, in the order in which they are used."""

import typer

from evaluation.customers import commands as customers
from evaluation.intent_command import intent
from evaluation.judging import commands as judging
from evaluation.outcome import commands as outcome
from evaluation.report import commands as report
from evaluation.runs import commands as runs
from evaluation.scenarios import commands as scenarios

app = typer.Typer(help="Measure the agent: simulated customers, judges, reports, and the gate.", no_args_is_help=True)
app.command()(scenarios.scenarios)
app.command()(runs.run)
app.command()(judging.judge)
app.command()(report.report)
app.command()(report.gate)
app.command()(report.ab)
app.command()(customers.customers)
app.command()(intent)
app.command()(outcome.outcome)
app.command("outcome-train")(outcome.outcome_train)
app.command()(judging.rubrics)
app.command("bad-cases")(judging.bad_cases)
app.command()(judging.agreement)
app.command()(judging.preference)
