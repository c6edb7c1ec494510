"""Pure functions on arrays and data frames."""
