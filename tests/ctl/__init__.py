"""gatewayctl, from the words that are typed to what is printed."""
