"""What an owner lifts: virtual phones today; USB and analog phones use the same interface."""
