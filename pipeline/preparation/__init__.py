"""Raw files to WebDataset shards: what `python -m pipeline.prepare` runs."""

from pipeline.preparation.listing import read_raw
from pipeline.preparation.split import prepare

__all__ = ["prepare", "read_raw"]
