"""Agents on reason_env: language models that are initialised, search and learn."""
