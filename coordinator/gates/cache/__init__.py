"""What is kept between verdicts."""
