"""`make demo`: the real daemon and calls process in the laboratory, as one story with its figures."""
