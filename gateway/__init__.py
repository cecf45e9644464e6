"""Steadyline: a SIP-trunk gateway whose running calls survive the loss of their uplink."""
