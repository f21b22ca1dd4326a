"""What determines a store's numbers, put together in one place for both stages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.openclip import DIR_CONFIG, LOCAL_DIR
from pipeline.shards import ShardIndex
from pipeline.store.layout import VERSION
from pipeline.views import ViewMaker
from pipeline.weights import file_sha256


def architecture(arch: str) -> dict[str, str]:
    """A teacher's architecture: its name, or the content of the file that describes it."""
    path = Path(arch.removeprefix(LOCAL_DIR))
    path = path / DIR_CONFIG if arch.startswith(LOCAL_DIR) else path
    return {"arch_sha256": file_sha256(path)} if path.is_file() else {"arch": arch}


def store_recipe(
    teacher: Mapping[str, str],
    maker: ViewMaker,
    index: ShardIndex,
    prompts: str,
    dtype: str,
) -> dict[str, Any]:
    """The part of `Provenance.determines` that both stages know.

    Args:
        teacher: name, architecture, modality, weights_sha256, preprocessing (stage 1), or the
            part of them that a reader can know (stage 2).
        maker: chain, sizes and seed of the views.
        index: the dataset split; its tars' hashes stand in the markers, tar by tar.
        prompts: template list of the label texts.
        dtype: of the stored features.
    """
    return {
        "teacher": dict(teacher),
        "views": maker.recipe(),
        "source": {"dataset": index.dataset, "split": index.split, "modality": index.modality},
        "text": {"prompts": prompts},
        "storage": {
            "layout": VERSION,
            "dtype": dtype,
            "rows_per_shard": index.samples_per_shard,
        },
    }
