"""Supervised fine-tuning: a student under a linear head, on the labels of a split.

classifier    `Classifier`: student and head, and which of their parameters are trained
training      of adapters or all of it, by stage 2's trainer
probe         of the head alone, on cached features
scores        on the held-out split
"""
