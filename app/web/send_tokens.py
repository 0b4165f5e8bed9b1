"""Send tokens in the cabinet: making one (shown once, with a ready curl line), revoking one."""

from flask import Blueprint, Response, request

from app import identity
from app.errors import ServiceError
from app.extensions import settings
from app.services import tokens
from app.web import forms, guard, rendering
from app.web.forms import Form

blueprint = Blueprint("send_tokens", __name__, url_prefix="/cabinet/tokens")
guard.for_members(blueprint)

# How long a token may live, as the form offers it: seconds; no choice is for ever.
LIFETIMES = {"": None, "7d": 7 * 86400, "30d": 30 * 86400, "365d": 365 * 86400}


@blueprint.get("")
def show() -> Response:
    return token_page(Form())


@blueprint.post("")
def make() -> Response:
    form = forms.posted(request)
    try:
        lifetime = LIFETIMES[form.one_of("expires_in", LIFETIMES) or ""]
        made = tokens.issue_send_token(
            guard.signed_in().person,
            form.line("name"),
            identity.visitor(request),
            expires_in=lifetime,
        )
    except ServiceError as refused:
        return token_page(form, refused)
    # Not by way of a redirect: until the next page somebody would have to keep the secret.
    return token_page(Form(), made=made.token)


@blueprint.post("/<id:token_id>/revoke")
def revoke(token_id: int) -> Response:
    tokens.revoke_send_token(guard.signed_in().person, token_id, identity.visitor(request))
    return rendering.go("send_tokens.show", "The token is revoked and no longer works.")


def token_page(
    form: Form, refused: ServiceError | None = None, made: str | None = None
) -> Response:
    """The page of the send tokens, with what was typed for a new one."""
    return rendering.page(
        "cabinet/tokens.html",
        form=form,
        refused=refused,
        made=made,
        entries=tokens.send_tokens_of(guard.signed_in().person),
        base=settings().base_url,
        lifetimes=list(LIFETIMES),
    )
