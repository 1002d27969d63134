"""The rules: plain functions of the standard library. Values in, values out; the time is an argument."""
