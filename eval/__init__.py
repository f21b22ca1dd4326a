"""Zero-shot scores of a trained student on held-out data."""

import pipeline  # noqa: F401  Ctrl-C ends a command with one line from here on
