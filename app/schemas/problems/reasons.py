"""Why a request was refused, where the refusal's members do not tell: the sentences that it carries (`why`).

Each says what happened and, unless `sentences.py` adds it, what to do next. At most 123 bytes: a WebSocket is closed
with them.
"""

# ruff: noqa: S105 - these are sentences about tokens and passwords, not secrets

from typing import Final

# Unauthenticated
TOKEN_NEEDED: Final = "A token is needed. Send the header Authorization: Bearer <token>."
NO_GUESTS: Final = "Guests cannot take seats here. Sign in, and send the header Authorization: Bearer <token>."
ONE_TOKEN: Final = "The Authorization header is not valid. Send it once, as Authorization: Bearer <token>."
TOKEN_EXPIRED: Final = "The token has expired. Get a new one."
TOKEN_INVALID: Final = "The token is not valid. Get a new one."
TOKEN_TOO_LONG: Final = "The token is too long to be one of this service. Get a new one."
SESSION_ENDED: Final = "The session of this token has ended. Sign in again."
USER_GONE: Final = "The user of this token no longer exists. Get a new token."
REFRESH_TOKEN_USED: Final = "The refresh token was used before, or its session has ended. Sign in again."
REFRESH_TOKEN_INVALID: Final = "This is not a refresh token. Send the refresh_token that POST /auth/login returned."
API_KEY_INVALID: Final = "The API key is not valid, or it was revoked. Ask an admin for a new one."
LOGIN_WRONG: Final = "The username or the password is wrong. Check both, and try again."

# Unauthenticated or Forbidden
REFERENCE_NEEDS_A_KEY: Final = "Only API keys with the scope sell may send Customer-Reference. Leave the header out."

# RateLimited
WRONG_PASSWORDS: Final = "Too many passwords were wrong."

# Forbidden
ONLY_ORGANIZERS: Final = "Only organizers may do this. Sign in as an organizer."
ONLY_STAFF: Final = "Only staff may ask for other people's. Sign in as staff, or leave this out."
ONLY_ADMINS: Final = "Only admins may do this. Sign in as an admin."
PASSWORD_WRONG: Final = "The current password is wrong. Check it, and try again."
PASSWORD_MISSING: Final = "This user has no password yet. Register with this token: POST /auth/register."
PASSWORD_CHANGED: Final = "The password was changed in the meantime. Try again with the new one."
ACCOUNT_CHANGED: Final = "The account was changed in the meantime. Try again."
USER_OF_API_KEY: Final = "This is the user of an API key. Ask an admin to revoke the key: DELETE /api-keys/{id}."
SCOPES_EXCEEDED: Final = "An API key cannot create a key with scopes that it does not have. Leave those out."

# KeyInvalid
KEY_FORM: Final = "An Idempotency-Key has 1 to 255 visible ASCII characters. Send a new UUID, for example."
KEY_ONCE: Final = "The Idempotency-Key header was sent more than once. Send it once."
KEY_NO_UUID: Final = "Without a token, the idempotency key must be a UUID. Send a UUID, or a token."

# Malformed
NO_GUEST_TOKEN: Final = "This is not, or no longer, the token of a guest. Leave it out."
TWO_GUESTS: Final = "This and the bearer token are two guests. Send one of them."

# Unauthenticated
NO_SIGNATURE: Final = "This is not signed by the payment provider, or too long ago. Sign it with the secret, now."

# Busy
QUEUE_FULL: Final = "Too many requests are waiting."
QUEUE_TIMEOUT: Final = "The request waited too long (timeout)."
STOPPING: Final = "The service is stopping."
SCREENING_LOCKED: Final = "Another request locked this screening for too long."
CONFLICT: Final = "The request conflicted with another one."
ROWS_LOCKED: Final = "Another request locked the same seats for too long."
DATABASE_NOT_REACHABLE: Final = "The database is not reachable."
DATABASE_OVERLOADED: Final = "The database is overloaded."
DATABASE_TIMEOUT: Final = "The database did not answer in time (timeout)."
DATABASE_FULL: Final = "The disk of the database is full."
DATABASE_READ_ONLY: Final = "The database is read-only."
CONNECTIONS_IN_USE: Final = "All database connections are in use."
TOO_MANY_LISTENERS: Final = "This server has no room for another live connection."
TOO_MANY_PASSWORDS: Final = "Too many people are signing in."

# BadRequest
NO_HOST: Final = "The Host header is missing. Send it: HTTP/1.1 requires it."
REFERENCE_FORM: Final = "A Customer-Reference has 1 to 128 visible ASCII characters. Send your own id of the customer."
REFERENCE_ONCE: Final = "The Customer-Reference header was sent more than once. Send it once."
REFERENCE_OUT_OF_PLACE: Final = "This call is not made for a customer. Leave out Customer-Reference."
CONTENT_LENGTH: Final = "Content-Length must be a number of bytes. Correct it."
