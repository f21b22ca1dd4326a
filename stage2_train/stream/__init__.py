"""The stream: from shards and feature stores to mini-batches on the device, every join proved.

A sample's way, module by module:
    order           which sample comes when, and on which rank
    targets         the feature stores, opened and checked against the run's recipe
    texts           label and caption features by the frozen text tower
    join            `Streams`: samples decoded and augmented, beside the targets made from them
    input_rows      the parts of a batch that the student takes, filled sample by sample
    loader          which parts of a step a rank reads, and how they make up its mini-batches
    feed            `open_feed`: worker processes that make them while a step trains
    device_batches  their way to the device
"""
