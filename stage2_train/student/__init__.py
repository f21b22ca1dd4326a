"""The student: what is trained, saved and used afterwards.

A batch's way through it, module by module:
    inputs            a canonical view -> what its modality's tokenizer takes
    value_ranges      refuses what a user would give by mistake
    tokenizers        a modality's batch -> tokens of the frozen trunk
    adapted_block     a frozen block, and beside it
    moe_lora          the experts that open it to other modalities
    fused_block       both as a GPU trains them
    model             `Student`: tokenizers, blocks and CLIP's joint space together
    projectors        heads from its features to each teacher's; needed while training only
Before and after it:
    files             media files -> embeddings
    hub               a student's folder by its address
    carried_clip      the frozen CLIP that a folder brings along
    encoder_program   one modality's encoder for torch.export
Around it:
    initialise        first weights from an explicit generator
    trunk_precision   the frozen trunk as autocast would see it
    portable          the folder that it is saved in
    parameter_summary how many parameters are trained, of
    untrained_clip    a CLIP of the right shape that needs no weights
"""

from stage2_train.student.model import Student, StudentOutput

__all__ = ["Student", "StudentOutput"]
