"""The one list of rooms: which routers the application has, and who tells what to whom.

Which modules hold jobs is `job_modules`'s.
"""

from fastapi import APIRouter

from bascule.accounts.allowed_sites.api import router as allowed
from bascule.accounts.allowed_sites.pages import pages as allowed_page
from bascule.accounts.passkeys.api import router as passkeys
from bascule.accounts.passkeys.pages import open_pages as passkey_doors
from bascule.accounts.passkeys.pages import pages as passkey_pages
from bascule.accounts.people.api import router as users
from bascule.accounts.people.pages import pages as people_pages
from bascule.accounts.provider.api import router as identities
from bascule.accounts.provider.pages import open_pages as provider_doors
from bascule.accounts.provider.pages import pages as provider_pages
from bascule.accounts.settings.api import router as settings
from bascule.accounts.settings.pages import pages as settings_pages
from bascule.accounts.sign_in.api import open_router as signing_in
from bascule.accounts.sign_in.api import router as auth
from bascule.accounts.sign_in.pages import open_pages as signing_in_pages
from bascule.accounts.sign_in.pages import pages as account_pages
from bascule.accounts.sign_in.second_factor_api import router as second_factor
from bascule.accounts.sign_in.second_factor_pages import pages as factor_pages
from bascule.attention.api import router as needs
from bascule.audit.api import router as journal
from bascule.audit.pages import pages as audit_page
from bascule.connections import expiring as of_credentials
from bascule.connections import worker_attention as of_the_queue
from bascule.connections.api import router as connections
from bascule.connections.left_behind.api import router as left
from bascule.connections.left_behind.pages import pages as left_page
from bascule.connections.types import coming
from bascule.connectors.home_page import pages as home
from bascule.connectors.pages import pages as connectors
from bascule.connectors.settings_page import pages as connector_settings
from bascule.data.api import router as rows
from bascule.data.documents_api import router as documents
from bascule.data.pages import pages as data
from bascule.events.api import router as events
from bascule.inbox.api import router as deliveries
from bascule.inbox.frappe import attention as of_webhooks
from bascule.inbox.frappe.api import router as webhooks
from bascule.inbox.frappe.pages import pages as webhooks_page
from bascule.inbox.frappe.receiving import router as receiving_of_sites
from bascule.inbox.pages import pages as deliveries_page
from bascule.inbox.receiving import router as receiving
from bascule.mirror import attention_items as of_the_mirror
from bascule.mirror import disk_attention as of_the_disk
from bascule.mirror.api import router as mirror
from bascule.mirror.connection_page import pages as connection_page
from bascule.mirror.runs.log_page import pages as log_page
from bascule.mirror.runs.run_page import pages as run_page
from bascule.mirror.status.roster_api import router as rosters
from bascule.mirror.streams.left_off_api import router as left_off
from bascule.mirror.streams.pages import pages as stream_page
from bascule.outbox import attention as of_the_outbox
from bascule.outbox.api import router as outbox
from bascule.outbox.pages import pages as outbox_pages
from bascule.sites import connector as erpnext
from bascule.sites.cleanup import cleanups as of_deleted
from bascule.sites.cleanup.api import router as cleanups
from bascule.sites.cleanup.pages import pages as cleanups_page
from bascule.sync import attention as of_records
from bascule.sync import kept as records_kept
from bascule.sync.api import routers as two_way
from bascule.sync.attention_api import router as attention
from bascule.sync.pages.all_pages import routers as record_pages
from bascule.sync.setup.api import router as two_way_setup
from bascule.system.api import router as system
from bascule.system.pages import pages as system_page

# Those who sign in are nobody yet.
OPEN_ROUTERS: list[APIRouter] = [signing_in]
# What is signed needs nobody to sign in. In this order: the second takes every source.
SIGNED_ROUTERS: list[APIRouter] = [receiving_of_sites, receiving]
# In this order: /api/connectors/status is no connector's slug.
ROUTERS: list[APIRouter] = [rosters, mirror, rows, connections, events, journal, auth, users]
ROUTERS += [
    settings,
    second_factor,
    identities,
    passkeys,
    documents,
    *two_way,
    two_way_setup,
    attention,
    webhooks,
    deliveries,
    outbox,
    needs,
    left,
]
ROUTERS += [allowed, system, cleanups, left_off]
# What people look at, in a browser; each page says which route is its JSON twin.
OPEN_PAGES: list[APIRouter] = [signing_in_pages, provider_doors, passkey_doors]
PAGES: list[APIRouter] = [account_pages, home, connectors, connection_page, stream_page, run_page]
# In this order: /people/sites is no person, and /settings/second-factor no place.
PAGES += [allowed_page, left_page, factor_pages, provider_pages, passkey_pages]
PAGES += [people_pages, settings_pages]
PAGES += [connector_settings, audit_page, system_page, cleanups_page]
PAGES += [outbox_pages]
PAGES += [data, log_page, webhooks_page, deliveries_page, *record_pages]
# Who tells what needs attention; each says so to `attention.items` when it is imported.
NEEDS = [of_the_queue, of_the_disk, of_credentials, of_the_mirror, of_webhooks, of_records]
NEEDS += [of_deleted, of_the_outbox]
# Who keeps a site's documents besides the mirror; each says so to `sites.kept`.
KEEPERS = [records_kept]
# What can be connected, and what is to come; each registers with `connections.types.registry`.
CONNECTORS = [erpnext, coming]
