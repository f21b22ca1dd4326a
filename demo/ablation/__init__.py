"""The supplement's ablations by cross-validation over the objects of the embedded pack.

What `python -m eval.ablate --table` runs. It lies here and not in eval/, for it trains the nano
teachers anew: what is made of the pack is known in demo/ alone, which stands above eval/.
"""
