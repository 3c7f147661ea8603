"""`make app`: the managers' desk and the stakeholders' demo, which are not built yet."""

from graph.terminal import say

if __name__ == "__main__":
    say(
        "The Streamlit application is not part of this release yet. `make demo` shows a call, `salesman chat` holds one,"
    )
    say("and `salesman scripts` edits the library.")
