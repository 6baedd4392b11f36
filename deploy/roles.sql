-- The hub's role, which owns its database and is nothing else, and the one that reads mirrors.
-- Once, by an administrator of the PostgreSQL, in the database that the hub is to use; compose.yaml
-- has it run when its PostgreSQL is made:
--   POSTGRES_PASSWORD=... POSTGRES_READER_PASSWORD=... psql --dbname bascule --file deploy/roles.sql
\set ON_ERROR_STOP on
\getenv password POSTGRES_PASSWORD
\getenv reader_password POSTGRES_READER_PASSWORD
CREATE ROLE bascule LOGIN PASSWORD :'password';
CREATE ROLE bascule_reader LOGIN CONNECTION LIMIT 20 PASSWORD :'reader_password';
ALTER ROLE bascule_reader SET default_transaction_read_only = on;
ALTER ROLE bascule_reader SET statement_timeout = '5min';
ALTER ROLE bascule_reader SET idle_in_transaction_session_timeout = '10min';
ALTER DATABASE :"DBNAME" OWNER TO bascule;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO bascule_reader;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
