"""A virtual machine whose hardware is simulated by its own kernel: USB phones, HID, GPIO lines, sound."""
