"""Other people's problems as tasks: only their answers are verified (`Task.has_steps`)."""
