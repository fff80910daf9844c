"""Progress in a notebook: a bar in plain HTML, in the output of the cell that does the work.

It needs no widget library and looks the same in JupyterLab, VS Code and Colab; what is kept in
the file is the outcome, with a line of text for where no HTML can be shown.
"""

from __future__ import annotations

import html
from typing import Any

from domainkit.progress import words
from domainkit.progress.view import View

__all__ = ["NotebookView"]

_REDRAW_SECONDS = 0.2


class NotebookView(View):
    """One output of a cell, updated in place."""

    def begin(self) -> None:
        from IPython.display import display

        self._noted, self._drawn = self.text, self.start
        self._page = self._running()
        self._handle: Any = display(self._page, raw=True, display_id=True)

    def draw(self) -> None:
        page = self._running()
        due = self.text != self._noted or self.now - self._drawn >= _REDRAW_SECONDS
        if due and page != self._page:
            self._show(page)

    def end(self, whole: bool) -> None:
        # a bar of unknown length would run on for ever, and one that was stopped is none any more
        gauge = self._gauge() if whole and self.total else ""
        self._show(self._bundle(gauge, self.outcome(whole), ""))

    def _show(self, page: dict[str, str]) -> None:
        self._page, self._noted, self._drawn = page, self.text, self.now
        self._handle.update(page, raw=True)

    def _running(self) -> dict[str, str]:
        facts = ", ".join(filter(None, (self.amount(), self.speed(), self.left())))
        return self._bundle(self._gauge(), facts, self.remark)

    def _gauge(self) -> str:
        if not self.total:
            return "<progress></progress> "
        share = f"{words.percent(self.done, self.total)} %"
        return f'<progress value="{self.done}" max="{self.total}">{share}</progress> '

    def _bundle(self, gauge: str, facts: str, note: str) -> dict[str, str]:
        page = f"{html.escape(self.label)} {gauge}{html.escape(facts)}"
        if note:
            page += f"<br>&emsp;<em>{html.escape(note)}</em>"
        text = ", ".join(filter(None, (facts, note)))
        return {"text/html": f"<div>{page}</div>", "text/plain": f"{self.label}: {text}"}
