"""What the library says is wrong, in the reader's language and in plain words; the command line keeps its own."""

import re

from ui.words import t

_PROBLEMS = {
    "other_campaign": "not this campaign",
    "other_language": "language that the campaign does not speak",
    "unknown_intent": "unknown intent",
    "unknown_fact": "unknown fact(?: in a placeholder)?",
    "unknown_slot": "unknown slot",
    "unknown_campaign": "unknown campaign",
    "unknown_field": "unknown field",
    "no_language": "nothing in a language that the campaign speaks",
    "no_text": "no text",
    "reserved": "reserved name",
    "no_plan": "stage without a plan",
    "unreached": "stage that no move reaches from opening",
    "no_values": "a choice without values",
    "no_intents": "a slot of kind intent without intents",
    "minimum": "minimum above maximum",
    "braces": "a fact is not filled in",
    "unfillable": "placeholder that can never be filled",
    "brace": "single brace",
    "too_long_line": r"(?P<n>\d+) characters, longer than max_chars",
    "twice": "(?:id|name) used twice",
    "long": r"longer than \d+ characters",
    "pattern": "no regular expression: .*?",
    "empty_pattern": "matches even an empty line",
    "slow": "may take for ever on some lines",
    "no_pattern": "nothing to look for",
    "missed": "the patterns miss a line that they must catch",
    "caught": "the patterns catch a line that they must let pass",
    "used": "a fact in use cannot be removed",
    "exists": "exists already",
    "empty": "missing|(?:string|list) should have at least .*?",
    "name": "string should match pattern .*?",
    "too_long": r"string should have at most (?P<n>\d+) characters?",
    "date": "input should be a valid date.*?|datetimes? provided to dates .*?",
    "number": "input should be a valid (?:integer|number|boolean).*?",
    "shape": "input should be a valid (?:string|list|dictionary|tuple).*?|input should be an instance .*?",
    "range": "input should be (?:greater|less) than .*?",
    "choice": "input should be '.*?",
}
"""Entry of `ui/words/faults.yaml` → the message of a `Problem`; its value and its way out follow."""
_LINES = {
    "used_in_row": r"used in row (?P<n>\d+) too \((?P<value>.*)\) – .*",
    "version_missing": r"missing – script (?P<value>.*) exists; name the version that you edited",
    "edited_meanwhile": r"you edited version (?P<mine>\d+), but (?P<author>.*) has saved version (?P<theirs>\d+) \(.*",
    "campaign_fixed": r"cannot change \((?P<value>.*)\) – give the script a new id",
    "surplus": r"more cells than columns \((?P<value>.*)\) – .*",
    "no_script": "no script – begin one .*",
    "no_list": "file: not a list of scripts – .*",
    "no_yaml": "file: not YAML .*|file: a key must be a word .*",
    "endless": "file: unfolds without end .*",
    "written_twice": r"(?P<value>[^:]*): written twice – .*",
    "no_utf8": r"file: cannot be read \(.*\) – save it as UTF-8 text",
    "no_utf8_table": "(?P<value>.*) is not UTF-8; .*",
    "unreadable": r"(?P<value>.*?):? cannot be read \(.*\); .*",
    "no_file": "file: missing – write it.*",
    "no_csv": r"(?P<value>.*) is no CSV \(.*",
    "ending": r"(?P<value>.*) ends with .*; expected \.yaml, \.yml or \.csv",
    "header": r"header \((?P<value>.*)\) – expected columns out of (?P<way>.*)",
    "no_calls": "holds no call with a spoken turn",
    "script_gone": "Script (?P<value>.*) is not in the library; .*",
    "campaign_gone": "Campaign (?P<value>.*) is not in the library – .*",
    "no_version": r"(?:Script|Campaign) .* has no version (?P<n>\d+); the latest is (?P<value>\d+)",
    "same": "(?:Script|Campaign) .*: version .* says that already; nothing to save",
    "stale": "(?:Script|Campaign) .* was (?:saved|changed) by somebody else first.*",
    "fixed_field": "Script .*: (?P<value>.*) cannot be revised; a revision may change .*",
    "no_translation": "Script .* is in .* and cannot be translated into .*",
    "bad_translation": "Script .*: the translation was not saved, because .*",
    "not_heard": "Saved, but customers do not hear it yet, .*",
    "other_index": "The script index was built with embedding model .*|The query vector has shape .*",
    "no_answer": "The (?:database|Chroma server .*) does not answer .*|The script index .* failed .*",
    "busy": "Another process .*",
}
"""The same for what is said of a whole file, script or library."""
_HEAD = re.compile(r".*: (?:1 error|\d+ errors), nothing was changed:")
_AFTER = r"(?: \((?P<value>.*)\))? – (?P<way>.*)"
_KNOWN = [(key, re.compile(pattern, re.DOTALL)) for key, pattern in _LINES.items()]
_KNOWN += [(key, re.compile(f"(?:{pattern}){_AFTER}", re.DOTALL)) for key, pattern in _PROBLEMS.items()]
_ROW = re.compile(r"row (\d+): ")
_PREFIXES = 5
"""So many places (`scripts.csv: row 3: say[0]: …`) may stand before what is wrong."""


def fault(text: object) -> str:
    """Return what is wrong in the session's language; what is not known stays as it is.

    Args:
        text: An error of the library, or the text of a `Problem`; lines after `…, nothing was changed:` are read one by one.

    Returns:
        Text, not Markdown: use `ui.text.plain` or `show`.
    """
    said = str(text)
    head, _, rest = said.partition("\n")
    if rest and _HEAD.fullmatch(head):
        return "\n".join([t("faults.nothing_changed"), *(_line(line) for line in rest.splitlines())])
    return _line(said)


def _line(text: str) -> str:
    before, rest = "", text
    for _ in range(_PREFIXES):
        if said := _said(rest):
            return before + said
        place, colon, rest = rest.partition(": ")
        if not colon:
            break
        row = _ROW.fullmatch(f"{place}: ")
        before += t("faults.row", n=row[1]) if row else f"{place}: "
    return text


def _said(text: str) -> str:
    """Return a known message in words; "" for another."""
    for key, pattern in _KNOWN:
        if match := pattern.fullmatch(text):
            found = {"value": "", "way": "", **{name: value or "" for name, value in match.groupdict().items()}}
            if key == "no_language" and found["value"] in ("en", "zh"):
                found["value"] = t(f"common.language_{found['value']}")
            found["way"] = _way(found["way"])
            return t(f"faults.{key}", **found).strip()
    return ""


def _way(text: str) -> str:
    """Return a way out that names something to choose; others are part of what is said already."""
    if near := re.fullmatch(r"did you mean (.*)\?", text):
        return t("faults.near", value=near[1])
    if choices := re.fullmatch(r"one of (.*)", text):
        return t("faults.choices", value=choices[1].replace(" or ", ", ").replace("'", ""))
    return ""
