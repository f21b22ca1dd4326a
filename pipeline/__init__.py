"""The ground floor both stages share: config, samples and shards, seeded views, feature store."""
