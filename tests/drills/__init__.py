"""Drills: break one part of the running chain, let it recover, count every event.

make drill [NAMES="scheduler producer"]
"""
