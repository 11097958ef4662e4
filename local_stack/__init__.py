"""The same platform on one machine: emulated AWS, weather stand-in, supervisor. Nobody imports this room."""
