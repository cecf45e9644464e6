"""The trunk: numbers, CallerID, retries, calls that move, and the door to pjsua2."""
