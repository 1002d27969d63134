"""The rules: standard library only; values in, values out; time is an argument."""
