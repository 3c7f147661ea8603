"""The desk's files: scripts in and out, drafts from recorded calls, the search index."""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from graph.errors import BadInput
from scripts_library.mining import mine
from scripts_library.page_state import campaign_data
from scripts_library.preview import PreviewRow
from scripts_library.progress import Progress
from scripts_library.schema import Script
from ui.access import guarded, require
from ui.faults import fault
from ui.jobs import show_job, start_job
from ui.shared import library
from ui.text import plain, show
from ui.why import named
from ui.words import t

STATUSES = ("latest", "published", "draft", "archived")
_SHOWN = 100
"""Wrong rows shown at once."""
_SEEN = "_files_seen"
"""What a session remembers: the file that it looked at last, and what an import of it would do."""
_PLACE = re.compile(r"(\w+)(?:\[(\d+)\])?: (.*)", re.DOTALL)


def files_tab(campaign: str) -> None:
    """Draw the tab.

    Args:
        campaign: The one that the desk shows.
    """
    _import()
    st.divider()
    _export(campaign)
    st.divider()
    _mine(campaign)
    st.divider()
    _index()


def _import() -> None:
    st.subheader(t("files.import_title"))
    st.caption(t("files.import_help"))
    if (done := show_job("files_import")) is not None:
        st.session_state.pop(_SEEN, None)
        st.success(t("files.imported", added=done.added, updated=done.updated, unchanged=done.unchanged))
    given = st.file_uploader(t("files.upload"), type=["csv", "yaml", "yml"], key="files_upload")
    if given is None:
        return
    name, data = given.name, given.getvalue()
    try:
        rows = _preview(given.file_id, name, data)
    except BadInput as error:
        st.error(t("files.unreadable", reason=plain(fault(error))))
        return
    counts = Counter(row.action for row in rows)
    if not rows:
        st.info(t("files.no_rows"))
    elif counts["error"]:
        st.error(t("files.refused", n=counts["error"], of=len(rows)))
        _show_errors(rows)
    else:
        st.text(t("files.summary", add=counts["add"], update=counts["update"], unchanged=counts["unchanged"]))
        _offer(rows, name, data)


def _offer(rows: Sequence[PreviewRow], name: str, data: bytes) -> None:
    """Show what a good file would do, and the button that does it."""
    wanted = [row for row in rows if row.action != "unchanged"]
    if not wanted:
        st.info(t("files.nothing_to_do"))
        return
    if live := sum(row.status == "published" for row in wanted):
        st.warning(t("files.goes_live", n=live))
    table = [
        {
            t("files.column_row"): row.number,
            t("files.column_title"): row.title,
            t("files.column_action"): t(f"files.action_{row.action}"),
            t("files.column_changed"): ", ".join(_field(name) for name in row.changed),
        }
        for row in wanted
    ]
    st.dataframe(table, hide_index=True, width="stretch", key="files_preview")
    if st.button(t("files.import_now", n=len(wanted)), key="files_import_now", type="primary"):
        author, shelf = require("editor").name, library()

        def work(progress: Progress) -> Any:
            with _as_file(name, data) as path:
                return shelf.import_file(path, author, progress)

        start_job("files_import", t("files.importing"), work)
        st.rerun()


def _export(campaign: str) -> None:
    st.subheader(t("files.export_title"))
    st.caption(t("files.export_help"))
    names = ["", *library().campaigns()]
    titles = {
        name: plain(named(campaign_data(name).campaign.title)) if name else t("files.all_campaigns") for name in names
    }
    left, right = st.columns(2)
    chosen = left.selectbox(
        t("files.which"),
        names,
        index=names.index(campaign),
        format_func=lambda name: titles[name],
        key=f"files_campaign_{campaign}",
    )
    status = right.selectbox(
        t("files.which_status"), STATUSES, format_func=lambda name: t(f"files.status_{name}"), key="files_status"
    )
    shelf = library()
    for column, ending in zip((left, right), ("csv", "yaml"), strict=True):

        def content(ending: str = ending) -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"scripts.{ending}"
                shelf.export_file(path, chosen or None, None if status == "latest" else status)
                return path.read_bytes()

        column.download_button(
            t(f"files.download_{ending}"),
            guarded("editor", content),
            file_name=f"{chosen or 'scripts'}-{status}.{ending}",
            mime="text/csv" if ending == "csv" else "application/yaml",
            key=f"files_download_{ending}",
            on_click="ignore",
            icon=":material/download:",
            width="stretch",
        )


def _mine(campaign: str) -> None:
    st.subheader(t("files.mine_title"))
    st.caption(t("files.mine_help"))
    if (added := show_job("files_mine")) is not None:
        if added:
            st.success(t("files.mined", n=added))
        else:
            st.info(t("files.mined_none"))
    given = st.file_uploader(t("files.mine_upload"), type=["jsonl"], key="files_calls")
    limit = int(st.number_input(t("files.mine_limit"), 1, 500, 50, key="files_limit"))
    if st.button(t("files.mine_now"), key="files_mine_now", disabled=given is None) and given is not None:
        author, shelf, name, data = require("editor").name, library(), given.name, given.getvalue()

        def work(progress: Progress) -> int:
            with _as_file(name, data) as path:
                drafts = mine(path, campaign, shelf, author=author, limit=limit, progress=progress)
            known = {head.script.id for head in shelf.heads()}
            return len(shelf.add_many([draft for draft in drafts if draft.id not in known], author))

        start_job("files_mine", t("files.mining"), work)
        st.rerun()


def _index() -> None:
    st.subheader(t("files.index_title"))
    st.caption(t("files.index_help"))
    if (count := show_job("files_index")) is not None:
        st.success(t("files.indexed", n=count))
    if st.button(t("files.index_now"), key="files_index_now"):
        require("editor")
        start_job("files_index", t("files.indexing"), library().reindex)
        st.rerun()


def _preview(file_id: str, name: str, data: bytes) -> list[PreviewRow]:
    """Return what an import would do; looked at once a file, the import itself looks again."""
    seen, rows = st.session_state.get(_SEEN, ("", []))
    if seen != file_id:
        with _as_file(name, data) as path:
            rows = library().preview_import(path)
        st.session_state[_SEEN] = (file_id, rows)
    return list(rows)


@contextmanager
def _as_file(name: str, data: bytes) -> Iterator[Path]:
    """Lay an uploaded file where it can be read; errors name it as the user does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{Path(name).suffix.lower()}"
        path.write_bytes(data)
        try:
            yield path
        except BadInput as error:
            raise BadInput(str(error).replace(str(path), name)) from error


def _show_errors(rows: Sequence[PreviewRow]) -> None:
    """Show all that is wrong, row by row; a table's cells would cut it short."""
    wrong = [row for row in rows if row.errors]
    for row in wrong[:_SHOWN]:
        st.markdown(f"**{t('files.row', n=row.number)}** · {plain(row.title or row.id)}")
        for error in row.errors:
            match = _PLACE.fullmatch(error)
            show(f"{_where(match)}: {fault(match[3])}" if match else fault(error))
    if len(wrong) > _SHOWN:
        st.caption(t("files.more_wrong", n=len(wrong) - _SHOWN))


def _where(match: re.Match[str]) -> str:
    field = _field(match[1])
    return t("files.line", field=field, n=int(match[2]) + 1) if match[2] else field


def _field(name: str) -> str:
    return t(f"files.field_{name}") if name in Script.model_fields else name
