"""The panel room: one lamp and one button, for whoever stands before the box."""
