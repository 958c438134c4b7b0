"""The district as district.yaml describes it: read, checked, and frozen as an inventory. Holds nothing live."""
