"""Against SalesGPT's shape on the same server: a call that decides the stage, then a call that writes the reply.

Both sides get the same facts, the same customer lines and the same sampling; the prompts of the two-call side are ours, written to
SalesGPT's published shape (the whole conversation in one text, stage list and stage in the reply's prompt).
"""

import time
from statistics import median

from langchain_core.messages import HumanMessage

from bench.setting import fresh_home, percentile, real_calls, settings_for, table, written_calls
from graph.session import Calls
from nodes.speak import MAX_TOKENS, TEMPERATURE

STAGES = """1: Introduction: say who calls, and why.
2: Qualification: find out whether this is the right person.
3: Value proposition: explain what the offer does for the customer.
4: Needs analysis: ask open questions about needs.
5: Solution presentation: show how the offer meets the needs.
6: Objection handling: answer what stands in the way, with evidence.
7: Close: propose one next step.
8: End: nothing is left to say."""

DECIDE = """You help a sales agent to see where a conversation stands.
This is the conversation so far, between the marks:
===
{history}
===
Choose the next stage of the conversation from this list:
{stages}
Answer with one number from 1 to 8 and nothing else. With no conversation yet, answer 1.
Number:"""

REPLY = """You are {agent}, who works for {organisation}.
Purpose of the call: {goal}
What you may state:
{facts}
Keep each answer short. Never make lists. Speak as the agent only, one turn at a time.
Stages of a sales conversation:
{stages}
Current stage: {stage}
Conversation so far:
{history}
{agent}:"""


def _two_calls(calls: Calls, campaign: str, language: str, history: list[str], line: str) -> tuple[float, str]:
    """Return the seconds of both calls, and the reply."""
    data = calls.resources.campaign(campaign).campaign
    agent = data.agent.name[language]  # type: ignore[index]
    history.append(f"Customer: {line}")
    talk = "\n".join(history)
    model = calls.resources.model
    started = time.perf_counter()
    number = model.invoke(
        [HumanMessage(DECIDE.format(history=talk, stages=STAGES))], max_tokens=5, temperature=TEMPERATURE, timeout=60
    ).text
    stage = next((row for row in STAGES.splitlines() if number.strip()[:1] and row.startswith(number.strip()[:1])), "1")
    prompt = REPLY.format(
        agent=agent,
        organisation=data.agent.organisation[language],  # type: ignore[index]
        goal=data.goal[language],  # type: ignore[index]
        facts="\n".join(f"- {fact.text[language]}" for fact in data.facts),  # type: ignore[index]
        stages=STAGES,
        stage=stage,
        history=talk,
    )
    reply = model.invoke(
        [HumanMessage(prompt)], max_tokens=MAX_TOKENS, temperature=TEMPERATURE, stop=["Customer:"], timeout=60
    ).text
    took = time.perf_counter() - started
    history.append(f"{agent}: {reply.strip()}")
    return took, reply


def run() -> None:
    """Take the same calls both ways, turn about, on one server."""
    todo = [("save_the_children", "en", lines) for lines in real_calls(2, 6)]
    todo += [("lantern_local", language, lines[:6]) for language, lines in written_calls().items()]
    whole, first, theirs = [], [], []
    with fresh_home() as home:
        calls = Calls(settings_for(home))
        calls.warm_up("save_the_children")
        for number, (campaign, language, lines) in enumerate(todo):
            opening = calls.start(campaign, call=f"t{number}", language=language)
            history = [f"Agent: {opening['reply']}"]
            for line in lines:
                turn = calls.turn(f"t{number}", line)
                took, _ = _two_calls(calls, campaign, language, history, line)
                if turn["why"]["model_calls"]:
                    whole.append(turn["latency_ms"]["total"] / 1000)
                    first.append(turn["latency_ms"]["first_sentence"] / 1000)
                    theirs.append(took)
                if turn["ended"]:
                    break
    table(
        "Our turn against the two calls of SalesGPT's shape, same server, same run",
        [
            ("turns", len(theirs)),
            ("the two calls, median, s", median(theirs)),
            ("our whole turn, median, s", median(whole)),
            ("our whole turn, p95, s", percentile(whole, 95)),
            ("our first sentence, median, s", median(first)),
            ("whole turn / two calls", median(whole) / median(theirs)),
            ("first sentence / two calls", median(first) / median(theirs)),
        ],
    )
