"""The training: from mini-batches to a trained student, on any number of ranks.

    trainer         `Trainer`: the loop
    assembly        everything that it stands on, opened and checked before the first step
One step, from mini-batches to new weights:
    step            `StepObjective`: mini-batches -> the weighted sum of
    objectives      the losses
    global_batch    what a loss needs of the other ranks' rows
    update          `Update`: forward, backward, optimizer, one verdict of all ranks
    recorded_pass   forward and backward as a CUDA graph
    schedule        learning rate and optimizer
What comes of it:
    checkpoint      to go on from, whole or not at all
    probe           retrieval on a fixed batch of what is trained on
    held_out        zero-shot scores on a fixed part of every benchmark, both by
    retrieval       whose nearest text is their own
    best            the student of the best held-out scores
    logbook         log.jsonl, curves.json, curves.png and tensorboard
    console         the line in the terminal
The processes:
    ranks           this process among the others, and what they exchange
    cores           which threads may use the CPU's cores
    stopping        SIGTERM and Ctrl-C end a training behind its step
    watchdog        a step that does not end is named and ended
"""
