"""The Internet channels: health, choice, routes, guard, and the loop that keeps them."""
