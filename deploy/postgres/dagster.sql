-- The second database. PostgreSQL's image runs this once, on an empty volume, after it has made POSTGRES_DB.
CREATE DATABASE dagster;
