"""The claim explorer of notebook 03: a provider's claims to click through, a thin skin over the queries."""

from functools import cached_property
from typing import Any

from IPython import get_ipython

from .panel import ExplorerPanel
from .steps import ExplorerSteps
from .view import static_html, static_text


class ClaimExplorer(ExplorerSteps):
    """The claims of a billing provider, to click through in JupyterLab and to step through anywhere.

    In a notebook that someone is viewing, it shows as a panel of controls; headless, in exports, and in a shell, as a
    table of the current page. The page is shown as soon as it is there; what the server examined and the total follow.
    It runs one query at a time, on a connection of its own.

    Args:
        store: an open store. The first page of the first provider is read at once.
        seconds: time limit of a query, above 0 and at most 3,600; then the server ends it.

    Raises:
        ServerUnavailable: the server cannot be reached.

    Example:
        >>> explorer = ClaimExplorer(store).choose(service_date_start=start, service_date_end=end)
        >>> explorer.last().explain()
    """

    @cached_property
    def panel(self) -> ExplorerPanel:
        """The controls that a notebook shows, made when they are first asked for."""
        return ExplorerPanel(self, self._moments)

    def __repr__(self) -> str:
        self.follow_up()
        return static_text(self.store, self.shown)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        view = {}
        if _is_watched():
            # The total of a quick count is then also in what is saved with the notebook.
            self.panel.run(self.follow_up).join(timeout=1)
            view = self.panel.view()
        else:
            self.follow_up()
        shown = self.shown
        return {"text/plain": static_text(self.store, shown), "text/html": static_html(self.store, shown), **view}


def _is_watched() -> bool:
    """Whether a notebook's page asked for this cell: it names the cell, a headless run does not.

    A headless copy must not hold the panel: opened later, it would say that the widget's model is not found.
    """
    try:
        return "cellId" in get_ipython().get_parent()["metadata"]
    except (AttributeError, KeyError):
        return False  # no notebook at all
