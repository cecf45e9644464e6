"""Steadyline: a SIP-trunk gateway whose running calls survive the loss of their uplink."""

VERSION = "0.1.0"
