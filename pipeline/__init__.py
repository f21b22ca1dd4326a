"""The ground floor both stages share: config, samples and shards, seeded views, feature store."""

from pipeline.interruption import heed_while_importing

heed_while_importing()
