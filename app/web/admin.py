"""The admin zone: delivery health, accounts, chats, messages without their text, the trail.

For everybody but admins these pages do not exist; who is an admin is asked with each request.
"""

from collections.abc import Callable

from flask import Blueprint, Response, request

from app import identity
from app.errors import ServiceError
from app.extensions import settings
from app.services import accounts, administration, operations
from app.services.people import Person, Visitor
from app.web import describe, drawing, forms, guard, rendering

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
guard.for_admins(blueprint)

Action = Callable[[Person, int, Visitor], None]


@blueprint.get("")
def health() -> Response:
    delivery = operations.delivery()
    template = "admin/health_state.html" if rendering.is_piece_wanted() else "admin/health.html"
    render = rendering.piece if rendering.is_piece_wanted() else rendering.page
    return render(
        template,
        delivery=delivery,
        chart=drawing.minutes(delivery.minutes),
        flower=f"http://{request.host.rsplit(':', 1)[0]}:{settings().flower_port}/",
    )


@blueprint.post("/pause")
def pause() -> Response:
    operations.pause(identity.visitor(request), guard.admin().person)
    return rendering.go("admin.health", "Delivery is paused.")


@blueprint.post("/resume")
def resume() -> Response:
    operations.resume(identity.visitor(request), guard.admin().person)
    return rendering.go("admin.health", "Delivery goes on.")


@blueprint.get("/accounts")
def list_accounts() -> Response:
    form = forms.asked(request)
    page = administration.accounts(form.words("q"), form.number("before"))
    return rendering.page("admin/accounts.html", page=page, form=form)


@blueprint.get("/accounts/<id:account_id>")
def show_account(account_id: int) -> Response:
    return _account_page(account_id)


@blueprint.post("/accounts/<id:account_id>/disable")
def disable(account_id: int) -> Response:
    return _done(accounts.disable, account_id, "The account is disabled; its sessions have ended.")


@blueprint.post("/accounts/<id:account_id>/enable")
def enable(account_id: int) -> Response:
    return _done(accounts.enable, account_id, "The account is enabled.")


@blueprint.post("/accounts/<id:account_id>/end-sessions")
def end_sessions(account_id: int) -> Response:
    return _done(administration.end_sessions, account_id, "All its sessions have ended.")


@blueprint.post("/accounts/<id:account_id>/reset-password")
def reset_password(account_id: int) -> Response:
    visitor = identity.visitor(request)
    made = administration.reset_password(guard.admin().person, account_id, visitor)
    # The answer itself shows it, as in `send_tokens`.
    return _account_page(account_id, made=made)


@blueprint.get("/chats")
def list_chats() -> Response:
    page = administration.chats(forms.asked(request).number("before"))
    return rendering.page("admin/chats.html", page=page)


@blueprint.get("/messages")
def list_messages() -> Response:
    form = forms.asked(request)
    status = form.one_of("status", describe.STATUSES)
    page = administration.messages(status, form.number("account"), form.number("before"))
    return rendering.page("admin/messages.html", page=page, form=form, statuses=describe.STATUSES)


@blueprint.get("/audit")
def list_events() -> Response:
    form = forms.asked(request)
    page = administration.trail(form.number("account"), form.number("before"))
    return rendering.page("admin/audit.html", page=page, form=form)


def _done(action: Action, account_id: int, notice: str) -> Response:
    try:
        action(guard.admin().person, account_id, identity.visitor(request))
    except ServiceError as refused:
        return _account_page(account_id, refused=refused)
    return rendering.go("admin.show_account", notice, account_id=account_id)


def _account_page(
    account_id: int, refused: ServiceError | None = None, made: str | None = None
) -> Response:
    detail = administration.account(account_id)
    return rendering.page("admin/account.html", detail=detail, refused=refused, made=made)
