"""What seat maps are computed from: who has which seat, which seats are side by side, which are near each other."""
