"""What `benchmarks.retrieval` measures."""

import resource
import time

import torch

from eval.retrieval_scores import retrieval_scores


def measure(queries: int, items: int, dim: int, scored: int) -> None:
    """Score the first `scored` of random queries among random items, and print memory and time."""
    made = torch.Generator().manual_seed(0)
    query, gallery = (torch.randn(count, dim, generator=made) for count in (queries, items))
    ids = torch.arange(queries) % items
    features, start = _peak(), time.process_time()
    retrieval_scores(query[:scored], gallery, ids[:scored], torch.arange(items))
    spent = time.process_time() - start
    print(f"{queries:,} x {items:,} of {dim} values, {scored:,} scored")
    print(f"peak with the features alone   {features:8.2f} GB")
    print(f"peak with the scores           {_peak():8.2f} GB")
    print(f"processor time                 {spent:8.0f} s")
    print(f"of all queries at this rate    {spent * queries / scored / 3600:8.1f} h")


def _peak() -> float:
    """GB (10^9 bytes) of resident memory at most until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
