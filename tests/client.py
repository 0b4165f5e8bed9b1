"""The client by which tests talk to an application of this process: Flask's, with its answers typed
for a test, which knows that there is JSON and fails at once when there is none.
"""

from typing import Any

from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class Answer(TestResponse, Response):
    """What an application has answered; `json` is whatever the test takes it to be."""

    default_mimetype = None

    @property
    def json(self) -> Any:
        return self.get_json()


class Client(FlaskClient):
    """Flask's client; every method returns an `Answer`."""

    def __init__(self, app: Flask, _response: type[Response], *, use_cookies: bool = True) -> None:
        super().__init__(app, Answer, use_cookies=use_cookies)

    def open(self, *args: Any, **kwargs: Any) -> Answer:
        answer = super().open(*args, **kwargs)
        assert isinstance(answer, Answer)
        return answer

    def get(self, *args: Any, **kwargs: Any) -> Answer:
        return self.open(*args, **kwargs, method="GET")

    def head(self, *args: Any, **kwargs: Any) -> Answer:
        return self.open(*args, **kwargs, method="HEAD")

    def post(self, *args: Any, **kwargs: Any) -> Answer:
        return self.open(*args, **kwargs, method="POST")

    def put(self, *args: Any, **kwargs: Any) -> Answer:
        return self.open(*args, **kwargs, method="PUT")

    def patch(self, *args: Any, **kwargs: Any) -> Answer:
        return self.open(*args, **kwargs, method="PATCH")

    def delete(self, *args: Any, **kwargs: Any) -> Answer:
        return self.open(*args, **kwargs, method="DELETE")


def client_of(app: Flask, *, use_cookies: bool = True) -> Client:
    """A client of an application that `make_app` made: by default with a cookie jar."""
    client = app.test_client(use_cookies=use_cookies)
    assert isinstance(client, Client)
    return client
