"""Sites in the hub's own network that an admin allowed; those that are connected stay so."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

SCHEMA = "bascule"


def upgrade() -> None:
    op.create_table(
        "allowed_sites",
        sa.Column("place", sa.String(), primary_key=True),
        sa.Column("allowed_by", sa.Integer(), sa.ForeignKey(f"{SCHEMA}.users.id")),
        sa.Column(
            "allowed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        schema=SCHEMA,
    )
    op.execute(r"""
        INSERT INTO bascule.allowed_sites (place)
        SELECT DISTINCT lower(found[2]) || ':' || coalesce(
                   found[4], CASE lower(found[1]) WHEN 'http' THEN '80' ELSE '443' END)
          FROM (SELECT regexp_match(address, '^(https?)://(\[[^]]*\]|[^:/?#]+)(:([0-9]+))?', 'i')
                           AS found
                  FROM (SELECT api_url AS address FROM bascule.connections
                        UNION SELECT erpnext_url FROM bascule.users WHERE erpnext_url IS NOT NULL)
                       AS addresses) AS places
         WHERE found IS NOT NULL
    """)
