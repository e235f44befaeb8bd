"""The claim explorer of notebook 03: a thin layer over the queries, for clicking through a provider's claims."""

from functools import cached_property
from typing import Any

from IPython import get_ipython

from .panel import ExplorerPanel
from .steps import ExplorerSteps
from .view import static_html, static_text


class ClaimExplorer(ExplorerSteps):
    """An explorer for a billing provider's claims: click through them in JupyterLab, or call its methods anywhere.

    In a notebook that someone has open, it appears as a panel of controls. In a headless run, in an export, and in a
    shell, it appears as a table of the current page. The page appears as soon as it arrives; the total and what the
    server examined follow. The explorer runs one query at a time, on a connection of its own.

    Args:
        store: an open store. The explorer reads the first page of the first provider immediately.
        seconds: time limit of a query, above 0 and at most 3,600; a query that takes longer is ended on the server.

    Raises:
        ServerUnavailable: the server cannot be reached.

    Example:
        >>> explorer = ClaimExplorer(store).choose(service_date_start=start, service_date_end=end)
        >>> explorer.last().explain()
    """

    @cached_property
    def panel(self) -> ExplorerPanel:
        """The panel of controls that a notebook shows, created on first use."""
        return ExplorerPanel(self, self._moments)

    def __repr__(self) -> str:
        self.follow_up()
        return static_text(self.store, self.shown)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        view = {}
        if _is_watched():
            # Wait briefly: the output saved with the notebook then includes the total, if its count is quick.
            self.panel.run(self.follow_up).join(timeout=1)
            view = self.panel.view()
        else:
            self.follow_up()
        shown = self.shown
        return {"text/plain": static_text(self.store, shown), "text/html": static_html(self.store, shown), **view}


def _is_watched() -> bool:
    """Whether someone ran this cell in an open notebook: that request names the cell, and a headless run's does not.

    The output of a headless run must not hold the panel: opened later, it would say that the widget's model is not
    found.
    """
    try:
        return "cellId" in get_ipython().get_parent()["metadata"]
    except (AttributeError, KeyError):
        return False  # not in a notebook
