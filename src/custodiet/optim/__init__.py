"""The Adam family and schedules."""
