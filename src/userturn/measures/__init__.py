"""What is measured of a user turn: rooms for measures and contexts, the planner, the scorer."""
