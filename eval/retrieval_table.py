"""Retrieval both ways, as numbers for a file and as a table."""

from collections.abc import Mapping

from rich.table import Table

from eval.paired import Paired
from eval.retrieval_scores import retrieval_scores

Scores = dict[str, float | int]


def both_ways(sides: Mapping[str, Paired], query: str, gallery: str) -> dict[str, Scores]:
    """`image_to_points` and back -> recalls and mAP as fractions of 1, the median rank, counts."""
    return {
        f"{one}_to_{other}": _scores(sides[one], sides[other])
        for one, other in ((query, gallery), (gallery, query))
    }


def retrieval_table(name: str, found: Mapping[str, Scores]) -> Table:
    """Shares in per cent."""
    table = Table(title=f"Retrieval over {name} (R@k and mAP in %)")
    columns = {"R@1": "r1", "R@5": "r5", "R@10": "r10", "mAP": "map"}
    table.add_column("")
    for heading in (*columns, "median rank", "queries", "items"):
        table.add_column(heading, justify="right")
    for way, scores in found.items():
        shares = [f"{100 * scores[column]:.1f}" for column in columns.values()]
        rest = [f"{scores['median_rank']:g}", f"{scores['queries']:,}", f"{scores['items']:,}"]
        table.add_row(way.replace("_", " "), *shares, *rest)
    return table


def _scores(queries: Paired, gallery: Paired) -> Scores:
    scores = retrieval_scores(queries.features, gallery.features, queries.ids, gallery.ids)
    return {
        **{f"r{k}": round(recall, 4) for k, recall in scores.recalls.items()},
        "median_rank": scores.median_rank,
        "map": round(scores.mean_average_precision, 4),
        "queries": scores.queries,
        "items": len(gallery.ids),
    }
