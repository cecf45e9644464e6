"""The page: what gatewayctl can do, in a browser. Imports the ground, and the door to the daemon alone."""
