"""What the trainings of several rooms share."""
