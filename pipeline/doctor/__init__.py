"""What a recipe needs, and whether it is on this machine.

finding     one line of the tables
recipe      what it asks for and nothing would train
datasets    the raw downloads
made        shards and feature stores
teachers    weights
machine     Python, libraries, codecs, extras
space       room on the disks
"""
