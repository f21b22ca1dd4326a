"""ViT-Lens's zero-shot head on made features against the official code's outputs."""

import torch
from compare import assert_close, outputs

from pipeline.prompts import class_embeddings

GOLDEN = {name: torch.from_numpy(array) for name, array in outputs("vitlensL_zeroshot").items()}


def _classes() -> torch.Tensor:
    made = GOLDEN["text_in"].flatten(0, 1)
    return class_embeddings(lambda prompts: made, ["a", "b", "c"], ["{}"] * 4)


def test_class_embeddings_and_logits():
    assert_close(_classes(), GOLDEN["class_matrix_CxD"].numpy(), "classes")
    unit = torch.nn.functional.normalize(GOLDEN["visual_in"], dim=-1)
    assert_close(unit @ _classes().T, GOLDEN["logits_cos"].numpy(), "logits")


def test_clip_features_are_averaged_un_normalised():
    mean = GOLDEN["audio_clip_features_in"].mean(1)
    logits = torch.nn.functional.normalize(mean, dim=-1) @ _classes().T
    assert_close(logits, GOLDEN["audio_logits_cos"].numpy(), "logits")
