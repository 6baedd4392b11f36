-- compose.yaml's PostgreSQL is made with one password. From here on it is the hub's alone: the
-- superuser has none, and comes in by the container's own socket only:
--   docker compose exec --user postgres db psql bascule
ALTER ROLE CURRENT_USER PASSWORD NULL;
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
