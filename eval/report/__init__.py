"""One self-contained page over a finished run: `python -m eval.report`.

recipe      what was run: data, feature stores, student, versions
scores      what it scored, by class too
curves      its training
held_out    the held-out items that are shown, through the student
media       their pictures, clips, sounds and clouds, small enough for the page
neighbours  which of them the student puts next to which
failures    where it puts the wrong one, by cause
page        all of that as HTML
"""
