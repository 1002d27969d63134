"""What Stripe keeps: PaymentIntents, charges and refunds, in its shapes and with its errors (docs.stripe.com/api)."""

import itertools
import time
from typing import Any, Final

Json = dict[str, Any]

# Stripe's own test cards and accounts, by the ids that its documentation gives them.
DECLINES: Final = {
    "pm_card_visa_chargeDeclined": "generic_decline",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_visa_chargeDeclinedStolenCard": "stolen_card",
}
SUCCEEDS: Final = ("pm_card_visa", "pm_card_refundFail", "pm_card_pendingRefund")
NEEDS_BANK, IS_SLOW = "pm_card_threeDSecure2Required", "pm_usBankAccount_success"
# What Stripe.js makes of a card in the browser: a confirmation token.
TOKENS: Final = {"ctoken_visa": "pm_card_visa", "ctoken_declined": "pm_card_visa_chargeDeclined"}

ZERO_DECIMALS: Final = frozenset({"bif", "clp", "jpy", "krw", "mga", "vnd", "xaf", "xof"})
THREE_DECIMALS: Final = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
OTHERS: Final = frozenset({"aud", "chf", "eur", "gbp", "huf", "isk", "twd", "ugx", "usd"})


def error(kind: str, code: str | None = None, message: str = "No.", **more: Any) -> Json:
    return {"error": {"type": kind, "message": message} | ({"code": code} if code else {}) | more}


class Refused(Exception):
    """An error of the API: a status and a body."""

    def __init__(self, status: int, body: Json) -> None:
        self.status, self.body = status, body


class Books:
    """Intents and refunds. A test may look into them, and be the payer or the bank."""

    def __init__(self) -> None:
        self.intents: dict[str, Json] = {}
        self.refunds: list[Json] = []
        self.finds_new_intents = True
        self.numbers = itertools.count(1)

    def captured(self) -> int:
        """What payers paid, less what they got back, in Stripe's units."""
        return sum(one["amount_received"] for one in self.intents.values()) - sum(
            refund["amount"] for refund in self.refunds if refund["status"] in ("succeeded", "pending")
        )

    def payer_pays(self, intent_id: str, method: str = "pm_card_visa") -> None:
        """The payer pays in their browser, by Stripe.js."""
        if (reason := DECLINES.get(method)) is not None:
            self._decline(self.intents[intent_id], reason)
        else:
            self._succeed(self.intents[intent_id])

    def refund_becomes(self, status: str) -> None:
        """The newest refund turns out so. What failed can be given back again."""
        refund = self.refunds[-1]
        if status in ("failed", "canceled"):
            self.intents[refund["payment_intent"]]["latest_charge"]["amount_refunded"] -= refund["amount"]
        refund["status"] = status

    def create(self, params: dict[str, str]) -> Json:
        amount, currency = int(params["amount"]), params["currency"]
        if currency not in ZERO_DECIMALS | THREE_DECIMALS | OTHERS:
            raise Refused(
                400, error("invalid_request_error", message=f"Invalid currency: {currency}.", param="currency")
            )
        if amount < 50:
            raise Refused(400, error("invalid_request_error", "amount_too_small", param="amount"))
        if amount > 99_999_999:
            raise Refused(400, error("invalid_request_error", "amount_too_large", param="amount"))
        if (currency in THREE_DECIMALS and amount % 10) or (currency in ("isk", "ugx") and amount % 100):
            raise Refused(400, error("invalid_request_error", "parameter_invalid_integer", param="amount"))
        number = next(self.numbers)
        intent = {
            "id": f"pi_{number}", "object": "payment_intent", "amount": amount, "amount_capturable": 0,
            "amount_received": 0, "automatic_payment_methods": _inside(params, "automatic_payment_methods"),
            "canceled_at": None, "cancellation_reason": None, "capture_method": "automatic",
            "client_secret": f"pi_{number}_secret_{number}", "confirmation_method": "automatic",
            "created": int(time.time()), "currency": currency, "description": params.get("description"),
            "last_payment_error": None, "latest_charge": None, "livemode": False,
            "metadata": _inside(params, "metadata"), "next_action": None, "payment_method": None,
            "payment_method_types": ["card"], "status": "requires_payment_method",
        }  # fmt: skip
        self.intents[intent["id"]] = intent
        return intent

    def confirm(self, params: dict[str, str], intent_id: str) -> Json:
        intent = self._intent(intent_id)
        if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
            raise self._unexpected(intent, "confirm")
        if intent["automatic_payment_methods"]["allow_redirects"] != "never" and "return_url" not in params:
            raise Refused(400, error("invalid_request_error", message="you must provide a `return_url`"))
        token = params.get("confirmation_token")
        method = TOKENS.get(token, token) if token else params["payment_method"]
        if method not in (*DECLINES, *SUCCEEDS, NEEDS_BANK, IS_SLOW):
            param = "confirmation_token" if token else "payment_method"
            raise Refused(
                400, error("invalid_request_error", "resource_missing", f"No such {param}: '{method}'", param=param)
            )
        intent["payment_method"] = method
        if (reason := DECLINES.get(method)) is not None:
            raise self._decline(intent, reason)
        if method == NEEDS_BANK:
            intent["status"] = "requires_action"
            intent["next_action"] = _next_action(intent["id"], params.get("return_url"))
        elif method == IS_SLOW:
            intent["status"] = "processing"
        else:
            self._succeed(intent)
        return intent

    def cancel(self, params: dict[str, str], intent_id: str) -> Json:
        intent = self._intent(intent_id)
        if intent["status"] in ("succeeded", "canceled", "processing"):
            raise self._unexpected(intent, "cancel")
        intent |= {
            "status": "canceled", "canceled_at": int(time.time()), "next_action": None,
            "cancellation_reason": params.get("cancellation_reason"),
        }  # fmt: skip
        return intent

    def retrieve(self, params: dict[str, str], intent_id: str) -> Json:
        return self._intent(intent_id)

    def list(self, params: dict[str, str]) -> Json:
        newest_first = list(reversed(self.intents.values()))
        since = [one for one in newest_first if one["created"] >= int(params.get("created[gte]", "0"))]
        return _page("/v1/payment_intents", since, params)

    def search(self, params: dict[str, str]) -> Json:
        found = [one for one in self.intents.values() if self.finds_new_intents and _matches(one, params["query"])]
        return {"object": "search_result", "url": "/v1/payment_intents/search", "has_more": False, "data": found}

    def refund(self, params: dict[str, str]) -> Json:
        intent = self._intent(params["payment_intent"])
        if (charge := intent["latest_charge"]) is None or intent["status"] != "succeeded":
            raise Refused(400, error("invalid_request_error", message="does not have a successful charge to refund"))
        amount = int(params["amount"])
        if charge["amount_refunded"] == charge["amount"]:
            raise Refused(400, error("invalid_request_error", "charge_already_refunded"))
        if amount > charge["amount"] - charge["amount_refunded"]:
            raise Refused(400, error("invalid_request_error", param="amount", message="greater than unrefunded amount"))
        charge["amount_refunded"] += amount
        refund = {
            "id": f"re_{next(self.numbers)}", "object": "refund", "amount": amount, "charge": charge["id"],
            "created": int(time.time()), "currency": intent["currency"], "metadata": _inside(params, "metadata"),
            "payment_intent": intent["id"], "reason": None,
            "status": "pending" if intent["payment_method"] == "pm_card_pendingRefund" else "succeeded",
        }  # fmt: skip
        self.refunds.append(refund)
        return refund

    def list_refunds(self, params: dict[str, str]) -> Json:
        about = [one for one in reversed(self.refunds) if one["payment_intent"] == params["payment_intent"]]
        return _page("/v1/refunds", about, params)

    def _intent(self, intent_id: str) -> Json:
        if (intent := self.intents.get(intent_id)) is None:
            raise Refused(
                404, error("invalid_request_error", "resource_missing", "No such payment_intent", param="intent")
            )
        return intent

    def _succeed(self, intent: Json) -> None:
        charge = {
            "id": f"ch_{next(self.numbers)}", "object": "charge", "amount": intent["amount"], "amount_refunded": 0,
            "currency": intent["currency"], "paid": True, "payment_intent": intent["id"], "refunded": False,
            "status": "succeeded",
        }  # fmt: skip
        intent |= {
            "status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge, "next_action": None,
            "last_payment_error": None,
        }  # fmt: skip

    def _decline(self, intent: Json, reason: str) -> Refused:
        declined = {
            "charge": f"ch_{next(self.numbers)}", "code": "card_declined", "decline_code": reason,
            "message": "Your card was declined.", "type": "card_error",
        }  # fmt: skip
        intent |= {"status": "requires_payment_method", "last_payment_error": declined, "next_action": None}
        intent["payment_method"] = None
        return Refused(402, {"error": declined | {"payment_intent": dict(intent)}})

    def _unexpected(self, intent: Json, what: str) -> Refused:
        message = f"You cannot {what} this PaymentIntent because it has a status of {intent['status']}."
        more = {"payment_intent": dict(intent)}
        return Refused(400, error("invalid_request_error", "payment_intent_unexpected_state", message, **more))


def _inside(params: dict[str, str], name: str) -> Json:
    """`metadata[a]=b` as {"a": "b"}."""
    prefix = f"{name}["
    return {param[len(prefix) : -1]: value for param, value in params.items() if param.startswith(prefix)}


def _matches(intent: Json, query: str) -> bool:
    """Whether the intent is meant by metadata['name']:'value'."""
    name, _, value = query.removeprefix("metadata['").partition("']:'")
    return intent["metadata"].get(name) == value.removesuffix("'")


def _next_action(intent_id: str, return_url: str | None) -> Json:
    if return_url is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "stripe_3ds2_fingerprint"}}
    where = f"https://hooks.stripe.com/3d_secure_2/hosted?payment_intent={intent_id}"
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": where}}


def _page(url: str, found: list[Json], params: dict[str, str]) -> Json:
    after = params.get("starting_after")
    start = next((place + 1 for place, one in enumerate(found) if one["id"] == after), 0)
    limit = int(params.get("limit", "10"))
    return {
        "object": "list", "url": url, "has_more": len(found) > start + limit, "data": found[start : start + limit],
    }  # fmt: skip
