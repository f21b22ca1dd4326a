"""Stage 1: frozen teachers run once over seeded views and fill the feature store."""

import pipeline  # noqa: F401  Ctrl-C ends a command with one line from here on
