"""The script library: revisions in SQL, published scripts in Chroma, one door to both.

A write goes to SQL first, in one transaction; the index is then behind by that much, is brought up, and is recorded as
brought up. Whoever is stopped in between leaves SQL right and the index behind, and whoever next opens the library with
the right to write heals it.

A revision that is a draft changes nothing for customers: the last published version stays live until `publish`, or until
`archive` takes the script out of retrieval.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from graph.errors import BadInput, LibraryBusy
from graph.settings import Settings, get_settings
from scripts_library import changes as edits
from scripts_library import preview, store, transfer
from scripts_library.campaign_library import CampaignLibrary
from scripts_library.checks import suggest
from scripts_library.database import answered, engine_for, one_opener
from scripts_library.loading import CampaignData, bundled, fingerprint, load_campaign
from scripts_library.locks import one_process
from scripts_library.preview import PreviewRow
from scripts_library.progress import Progress, part, unwatched
from scripts_library.retrieval import Search
from scripts_library.schema import Script
from scripts_library.store import Head, Revision
from scripts_library.tables import prepare

if TYPE_CHECKING:
    from serving.embed import Embedder

Scripts = list[Script]  # inside `Library`, `list` is the method
Heads = list[Head]
Revisions = list[Revision]
Previews = list[PreviewRow]
_FIXED_FIELDS = frozenset({"id", "campaign", "status", "version", "author", "updated_at"})


def open_library(
    settings: Settings | None = None,
    embedder: "Embedder | None" = None,
    *,
    campaigns: Mapping[str, Path] | None = None,
) -> "Library":
    """Open the library of a home; close it after use (it is a context manager).

    Campaigns that the library lacks are loaded, changed ones are loaded anew where nobody edited them, and the index is
    healed, if this process may write. Two processes that start at once take turns.

    Args:
        settings: Home, database, Chroma server, embedding model; the process's own by default.
        embedder: Makes the vectors; by default the one that the settings name, loaded when first needed.
        campaigns: Folders to load by name; by default those that ship with the project, if the settings want them.

    Returns:
        The library. Its methods may be called from any thread.

    Raises:
        BadInput: A campaign is invalid, or the database or the Chroma server does not answer.
        LibraryBusy: Another process kept the library for more than a minute.
    """
    settings = settings or get_settings()
    shipped = bundled() if settings.bundled else {}
    folders = shipped if campaigns is None else campaigns
    engine = engine_for(settings)
    with answered(), one_process(settings.home / "opening.lock"), one_opener(engine):
        prepare(engine)
        library = Library(settings, embedder)
        try:
            library._bring_up(folders)
        except BaseException:
            library.close()
            raise
    return library


class Library(CampaignLibrary):
    """All that people and calls do with scripts. Obtain it with `open_library`.

    Every method that writes raises `LibraryBusy` at once, and writes nothing, while another process has the embedded
    index open. Every one raises `BadInput` when the database or the Chroma server does not answer.
    """

    def __init__(self, settings: Settings, embedder: "Embedder | None") -> None:
        super().__init__(settings, embedder)
        self._campaigns: dict[str, tuple[str, CampaignData]] = {}

    # --- campaigns ---------------------------------------------------------------------------------------------

    def campaigns(self) -> list[str]:
        """Return the names of the campaigns."""
        with self._reading() as connection:
            return list(store.campaign_stamps(connection))

    def campaign(self, name: str) -> CampaignData:
        """Return a campaign and its intents as loaded and edited last, by whichever process.

        Raises:
            BadInput: No such campaign; names those that there are.
        """
        with self._reading() as connection:
            return self._campaign(connection, name)

    def load(self, folder: Path, author: str, *, origin: str = "folder") -> edits.Changes:
        """Load a campaign folder: all of it, or nothing if anything in it is wrong.

        Scripts that nobody edited in the library follow the folder (new ones are added, missing ones archived); edited
        ones are kept as they are, and so are edited facts, forbidden claims and rubric lines.

        Args:
            folder: Holds the campaign's three files.
            author: Who loads it.
            origin: `bundled` for campaigns that ship with the project; they are loaded anew when their files change.

        Returns:
            What was done.

        Raises:
            BadInput: Every error of the folder, with file, line and field.
        """
        data = load_campaign(folder)
        with self._writing() as connection:
            return edits.load_into(connection, data, folder, author, origin)

    # --- scripts -----------------------------------------------------------------------------------------------

    def get(self, script_id: str, version: int | None = None) -> Script:
        """Return one version of a script; the latest, draft or not, when none is named.

        Raises:
            BadInput: No such script or version.
        """
        with self._reading() as connection:
            return store.revision(connection, script_id, version).script

    def list(
        self,
        campaign: str | None = None,
        *,
        language: str | None = None,
        stage: str | None = None,
        intent: str | None = None,
        status: str | None = None,
    ) -> Scripts:
        """Return scripts by id; every filter may be left out.

        Args:
            campaign: Its name.
            language: `en` or `zh`.
            stage: Its name.
            intent: Its name, or `any`.
            status: `published` gives the versions that customers may hear, even under a newer draft; `draft` and
                `archived` look at the latest version, as does leaving it out.
        """
        heads = self.heads(campaign, live=status == "published")
        wanted = {"language": language, "stage": stage, "intent": intent, "status": status}
        return [
            head.script
            for head in heads
            if all(value is None or getattr(head.script, field) == value for field, value in wanted.items())
        ]

    def heads(self, campaign: str | None = None, *, live: bool = False) -> Heads:
        """Return scripts by id, each with the version that is live: the latest versions, or the live ones themselves."""
        with self._reading() as connection:
            return store.heads(connection, campaign, live=live)

    def add(self, script: Script, author: str) -> Script:
        """Add a script as version 1, with the status that it carries: a draft by default, `published` is live at once.

        Raises:
            BadInput: Its id exists, or it names what its campaign does not have; all errors at once.
        """
        return self.add_many([script], author)[0]

    def add_many(self, scripts: Sequence[Script], author: str) -> Scripts:
        """Add several scripts: all or none.

        Raises:
            BadInput: Every error of every script.
        """
        fresh = [script.model_copy(update=edits.stamp(author)) for script in scripts]
        self._check_index(fresh)
        with self._writing() as connection:
            edits.add_into(connection, fresh)
        return fresh

    def revise(self, script_id: str, base_version: int, author: str, **changes: Any) -> Script:
        """Save a new version as a draft; what customers hear stays until it is published.

        Args:
            script_id: The script.
            base_version: The version that the editor saw.
            author: Who edits.
            changes: Fields of `Script`, all but id, campaign, status, version, author and updated_at.

        Returns:
            The new version.

        Raises:
            BadInput: A field is unknown or its value wrong, or nothing would change.
            StaleEdit: Somebody saved first; the message shows both versions.
        """
        refused = sorted(field for field in changes if field in _FIXED_FIELDS or field not in Script.model_fields)
        if refused:
            allowed = ", ".join(field for field in Script.model_fields if field not in _FIXED_FIELDS)
            raise BadInput(
                f"Script {script_id!r}: {', '.join(refused)} cannot be revised; a revision may change {allowed}"
            )

        def edit(script: Script) -> Script:
            return edits.validated(script.model_dump() | changes | {"status": "draft"})

        return self._change(script_id, base_version, author, "revise", edit)

    def publish(self, script_id: str, base_version: int, author: str) -> Script:
        """Make the latest version what customers hear, from the next turn on; a new version with that status.

        Raises:
            BadInput: It does not fit its campaign (any more), or the index was built with another embedding model.
            StaleEdit: Somebody saved first; the message shows both versions.
        """
        with answered():
            self._retrieval.ready()
        return self._change(script_id, base_version, author, "publish", edits.with_status("published"))

    def archive(self, script_id: str, base_version: int, author: str) -> Script:
        """Take a script out of retrieval; its history stays, and `publish` or `roll_back` bring it back.

        Raises:
            StaleEdit: Somebody saved first; the message shows both versions.
        """
        return self._change(script_id, base_version, author, "archive", edits.with_status("archived"))

    def roll_back(self, script_id: str, to_version: int, base_version: int, author: str) -> Script:
        """Save an earlier version again as the newest, with its status: a published one is live at once.

        Raises:
            BadInput: No such version.
            StaleEdit: Somebody saved first; the message shows both versions.
        """
        earlier = self.get(script_id, to_version)
        self._check_index([earlier])
        return self._change(script_id, base_version, author, "roll_back", edits.replaced_by(earlier))

    def history(self, script_id: str) -> Revisions:
        """Return every version of a script, oldest first: who, when, which action.

        Raises:
            BadInput: No such script.
        """
        with self._reading() as connection:
            return store.history(connection, script_id)

    def diff(self, script_id: str, a: int, b: int) -> str:
        """Return a unified diff of two versions as YAML; empty when they say the same.

        Raises:
            BadInput: No such script or version.
        """
        return edits.difference(self.get(script_id, a), self.get(script_id, b))

    # --- files -------------------------------------------------------------------------------------------------

    def preview_import(self, path: Path) -> Previews:
        """Return what `import_file` would do with each row of a file; writes nothing.

        Raises:
            BadInput: The file as a whole cannot be read.
        """
        with self._reading() as connection:
            return preview.preview_rows(connection, transfer.read_rows(path))

    def import_file(self, path: Path, author: str, progress: Progress = unwatched) -> edits.Changes:
        """Take scripts from a YAML or CSV file (see `transfer`): all rows or none.

        A row with a new id is added as it is, version included; a row whose id exists is a revision and must carry the
        `version` that it was exported with: if the library has a newer one, the row is refused. Rows that say what the
        library says are left alone.

        Raises:
            BadInput: Every bad row with its number.
            Cancelled: `progress` raised it; nothing was changed.
        """
        rows = transfer.read_rows(path)
        with self._reading() as connection:
            live = preview.to_publish(connection, path, rows)
        self._check_index(live)
        with answered(), self._retrieval.ahead(live, part(progress, 0, 80)), self._writing() as connection:
            return preview.import_into(connection, path, rows, author, part(progress, 80, 100))

    def export_file(self, path: Path, campaign: str | None = None, status: str | None = None) -> int:
        """Write scripts to a `.yaml` or `.csv` file that `import_file` reads without loss; return how many.

        Args:
            path: The file; replaced in one step.
            campaign: Only this one's.
            status: As in `list`; left out, the latest version of each script.

        Raises:
            BadInput: The file's ending is neither, or it cannot be written.
        """
        scripts = self.list(campaign, status=status)
        transfer.write_file(path, scripts)
        return len(scripts)

    # --- retrieval ---------------------------------------------------------------------------------------------

    def search(
        self,
        campaign: str,
        language: str,
        stage: str,
        intent: str,
        vector: NDArray[np.float32],
        k: int = 3,
        exclude: Container[str] = (),
        drafts: Sequence[str] = (),
        prefer: Sequence[str] = (),
    ) -> Search:
        """Return the published scripts nearest to a query; without drafts, Chroma alone is read.

        The no-hit policy: (1) scripts of the intent, as many as there are, up to `k`: `no_hit` is "". (2) If it has none
        that is unexpired and not excluded, the stage's general scripts (intent `any`): "general". (3) If there
        are none either, nothing: "none". Scripts of other stages, languages or intents are never used.

        Args:
            campaign: Its name.
            language: `en` or `zh`.
            stage: The stage that the call is in.
            intent: The customer's intent; `any` asks for general scripts.
            vector: The query's embedding, shape (d,), by the model that built the index.
            k: Most hits.
            exclude: Ids not to return again.
            drafts: Ids whose latest version, unless archived, is searched in the place of the published one; one embedding each.
            prefer: Ids that come first where the place has them published, however far they are.

        Returns:
            Hits, best first.

        Raises:
            BadInput: The vector comes from another embedding model than the index, or the index does not answer.
        """
        with answered():
            return self._retrieval.search(campaign, language, stage, intent, vector, k, exclude, drafts, prefer)

    def warm(self) -> None:
        """Connect to Chroma and load the embedding model, so that the first search need not."""
        with answered():
            self._retrieval.ready()
            self._retrieval.embedder.query(["…"])

    def reindex(self, progress: Progress = unwatched) -> int:
        """Build a new index from the revisions with the present embedding model, and drop the old one.

        Searches go on in the old index until the new one is complete.

        Returns:
            How many scripts are live.

        Raises:
            BadInput: Another process built an index at the same time.
            Cancelled: `progress` raised it; the old index stays in use.
        """
        with answered():
            count = self._retrieval.rebuild(progress)
        if count is None:
            raise BadInput("Another process built an index at the same time; run `salesman scripts reindex` again")
        return count

    # --- inside ------------------------------------------------------------------------------------------------

    def _bring_up(self, folders: Mapping[str, Path]) -> None:
        """Load the campaigns that are missing or changed, and heal the index, if this process may write."""
        with self._reading() as connection:
            stored = store.campaign_stamps(connection)
        wanted = [
            folder
            for name, folder in folders.items()
            if name not in stored or (stored[name].origin == "bundled" and stored[name].hash != fingerprint(folder))
        ]
        if not wanted and not self._retrieval.is_behind():
            return
        try:
            with self._index.exclusive():
                for folder in wanted:
                    self.load(folder, "salesman", origin="bundled")
                self._retrieval.heal()
        except LibraryBusy:
            if not set(folders) <= set(stored):
                raise

    def _change(
        self, script_id: str, base_version: int, author: str, action: store.Action, edit: Callable[[Script], Script]
    ) -> Script:
        with self._writing() as connection:
            saved = store.change(connection, script_id, base_version, author, action, edit)
            edits.check_saved(connection, saved)
            return saved

    def _campaign(self, connection: Connection, name: str) -> CampaignData:
        stored = store.campaign_stamps(connection)
        if name not in stored:
            raise BadInput(f"Campaign {name!r} is not in the library – {suggest(name, stored)}")
        cached = self._campaigns.get(name)
        if cached is not None and cached[0] == stored[name].loaded_at:
            return cached[1]
        data = store.read_campaign(connection, name)
        self._campaigns[name] = (stored[name].loaded_at, data)
        return data
