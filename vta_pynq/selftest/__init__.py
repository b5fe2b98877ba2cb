"""The hardware self-test, and the numpy interpreter that it compares hardware with.

See docs/selftest.md.
"""
