"""The library's door to facts, forbidden claims and rubric of campaigns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graph.settings import Settings
from scripts_library import campaign_edits as edits
from scripts_library.campaign_edits import CampaignRevision
from scripts_library.held import Held
from scripts_library.loading import CampaignData
from scripts_library.schema import Fact, ForbiddenClaim, RubricLine

if TYPE_CHECKING:
    from serving.embed import Embedder


class CampaignLibrary(Held):
    """What people do with a campaign's facts and rules: each change is a version, made by compare-and-set."""

    def __init__(self, settings: Settings, embedder: "Embedder | None") -> None:
        super().__init__(settings, embedder)
        self._uses: dict[str, tuple[tuple[int, int, int], dict[str, list[str]]]] = {}

    def campaign_version(self, name: str) -> int:
        """Return the version of a campaign's facts, forbidden claims and rubric, from 1.

        Raises:
            BadInput: No such campaign.
        """
        with self._reading() as connection:
            return edits.latest_version(connection, name)

    def revise_campaign(
        self,
        name: str,
        base_version: int,
        author: str,
        *,
        facts: Sequence[Fact | Mapping[str, Any]] | None = None,
        forbidden: Sequence[ForbiddenClaim | Mapping[str, Any]] | None = None,
        rubric: Sequence[RubricLine | Mapping[str, Any]] | None = None,
    ) -> CampaignData:
        """Replace facts, forbidden claims or rubric lines; calls go by them from their next turn on.

        Args:
            name: The campaign.
            base_version: The version that the editor saw.
            author: Who edits.
            facts: All facts as they should be; None leaves them.
            forbidden: All forbidden claims, drafts included; None leaves them.
            rubric: All rubric lines; None leaves them.

        Returns:
            The campaign as it is now.

        Raises:
            BadInput: Everything that is wrong with the campaign as it would be (a removed fact that scripts use, a
                published claim that fails its test lines, …), or nothing would change.
            StaleEdit: Somebody saved first; the message shows both.
        """
        given: dict[str, Sequence[Any] | None] = {"facts": facts, "forbidden": forbidden, "rubric": rubric}
        parts = {part: entries for part, entries in given.items() if entries is not None}
        with self._writing() as connection:
            return edits.edit(connection, name, base_version, author, "revise", parts)

    def roll_back_campaign(self, name: str, to_version: int, base_version: int, author: str) -> CampaignData:
        """Save an earlier version of facts, claims and rubric again as the newest.

        Raises:
            BadInput: No such version, or it does not fit the scripts (any more).
            StaleEdit: Somebody saved first; the message shows both.
        """
        with self._writing() as connection:
            old = edits.revision(connection, name, to_version)
            parts: dict[str, Sequence[Any]] = {"facts": old.facts, "forbidden": old.forbidden, "rubric": old.rubric}
            return edits.edit(connection, name, base_version, author, "roll_back", parts)

    def campaign_history(self, name: str, newest: int | None = None) -> list[CampaignRevision]:
        """Return the versions of a campaign's facts, claims and rubric, oldest first: who, when, which action.

        Args:
            name: The campaign.
            newest: How many of the newest versions; all of them when left out.

        Raises:
            BadInput: No such campaign.
        """
        with self._reading() as connection:
            edits.latest_version(connection, name)
            return edits.revisions(connection, name, newest)

    def campaign_ids(self, name: str, part: str) -> frozenset[str]:
        """Return the ids that are taken: those that entries have or had in any version.

        Args:
            name: The campaign.
            part: `facts`, `forbidden` or `rubric`.
        """
        with self._reading() as connection:
            return edits.ids_ever(connection, name, part)

    def campaign_revision(self, name: str, version: int | None = None) -> CampaignRevision:
        """Return one version of a campaign's facts, claims and rubric; the latest when none is named.

        Raises:
            BadInput: No such campaign or version.
        """
        with self._reading() as connection:
            wanted = edits.latest_version(connection, name) if version is None else version
            return edits.revision(connection, name, wanted)

    def campaign_diff(self, name: str, a: int, b: int) -> str:
        """Return a unified diff of two versions as YAML; empty when they say the same.

        Raises:
            BadInput: No such campaign or version.
        """
        with self._reading() as connection:
            old, new = (edits.revision(connection, name, version) for version in (a, b))
        return edits.difference(name, old, new)

    def fact_uses(self, name: str) -> dict[str, list[str]]:
        """Return fact → the scripts that lean on it, live or as drafts; archived ones aside.

        Every script is read when one has changed, else none. Leave what is returned as it is: it is handed out again.

        Raises:
            BadInput: No such campaign.
        """
        with self._reading() as connection:
            stamp = edits.uses_stamp(connection, name)
            held = self._uses.get(name)
            if held is None or held[0] != stamp:
                held = self._uses[name] = (stamp, edits.fact_uses(connection, name))
            return held[1]
