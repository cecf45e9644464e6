"""Whole rooms and the whole gateway, told as stories on a clock that jumps."""
