"""How a span's parent is known."""

PARENTAGE = ("none", "named", "launched", "enclosed", "ambiguous", "alone")
"""``none``: nothing encloses the span; ``alone``: it stands on a timeline of its own."""
NONE, NAMED, LAUNCHED, ENCLOSED, AMBIGUOUS, ALONE = range(len(PARENTAGE))
