"""Where `ansible_runner` keeps its configurations."""
