"""A running job on one line: of a terminal, or of a notebook's cell."""

import sys

from .answers import Event


class Line:
    """Shows events, each in the place of the one before."""

    def __init__(self) -> None:
        self._handle = None
        self._width = 0

    def show(self, event: Event) -> None:
        text = f"{event.state}, {event.phase}" if event.phase else event.state
        if event.rounds and event.round:
            text += f", round {event.round} of {event.rounds}"
        if event.message:
            text += f": {event.message}"
        if "ipykernel" in sys.modules:
            from IPython.display import display

            shown = {"text/plain": text}
            if self._handle is None:
                self._handle = display(shown, raw=True, display_id=True)
            else:
                self._handle.update(shown, raw=True)
        elif sys.stderr.isatty():
            print("\r" + text.ljust(self._width), end="", file=sys.stderr, flush=True)
            self._width = len(text)

    def close(self) -> None:
        if self._width:
            print(file=sys.stderr)
