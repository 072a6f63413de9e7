"""The catalog: the Postgres database in which every state of every file is a row."""
