"""Tests mirror the rooms; `lab` is a small world of namespaces; `stories` run the whole gateway."""
