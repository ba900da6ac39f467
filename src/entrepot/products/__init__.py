"""Trade by product: stores of Parquet, and measures and screens written once for several engines."""
