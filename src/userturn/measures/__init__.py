"""What is measured of a user turn."""
