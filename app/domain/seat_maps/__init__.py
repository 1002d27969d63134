"""What a seat map is worked out from: who sits where, which seats are side by side, which are near."""
