"""Pages for people: a run, a sweep, or a comparison as one HTML file that needs no network.

``page.py`` is what all pages share, and the interface for whoever adds a section.
"""
