"""A stand-in for Open-Meteo: its archive and forecast endpoints, limits and faults, on loopback."""
