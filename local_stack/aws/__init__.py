"""The emulated AWS: moto for the control planes, our own data planes, one loopback process."""
