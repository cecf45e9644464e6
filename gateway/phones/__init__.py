"""What an owner lifts: lines, the desk that serves them, and the doors to their hardware."""
