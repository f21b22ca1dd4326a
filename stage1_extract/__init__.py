"""Stage 1: frozen teachers run once over seeded views and fill the feature store."""
