"""Where the endpoint of a model is, and the key for it. Both are looked up when used; the key is in no record.

What is not covered: a provider may change the model behind a name; address and name are all the identity there is.
Of several servers of one model the first gives the identity: others may come and go within a run, and have to serve the
same model.
"""

from __future__ import annotations

import os
from dataclasses import replace
from urllib.parse import urlsplit

from harness.data import Model
from harness.errors import ConfigError

KEY = "OPENAI_API_KEY"


def url(model: Model) -> str:
    """The address of a model's endpoint: as written, or from the environment variable named. Raises ConfigError."""
    assert model.endpoint is not None
    address = model.endpoint.address
    where = f"models.{model.name}.endpoint"
    if "://" not in address:
        name, address = address, os.environ.get(address, "").strip()
        where = f"{where}: environment variable {name}"
        if not address:
            raise ConfigError(f"{where} is not set. Set it to the server's address, e.g. https://api.openai.com/v1")
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(f"{where}: not an address. Write it like http://localhost:8000/v1")
    if parts.username or parts.password or parts.query:
        raise ConfigError(f"{where}: the address holds more than host and path. Give the key with `key_env:` instead.")
    return address.rstrip("/")


def shown(model: Model) -> str:
    """Host and path of the endpoint: its name in messages, in run.json, and in the identity of an answer.

    >>> from harness.data import Endpoint
    >>> shown(Model("m", "tiny", endpoint=Endpoint("http://localhost:8000/v1/")))
    'localhost:8000/v1'
    """
    return url(model).split("://", 1)[1]


def servers(model: Model) -> list[Model]:
    """The model as each of its servers answers for it, the first one first."""
    assert model.endpoint is not None
    first = replace(model.endpoint, replicas=())
    others = [replace(first, address=one.address, concurrency=one.concurrency) for one in model.endpoint.replicas]
    return [replace(model, endpoint=one) for one in (first, *others)]


def key_name(model: Model) -> str:
    """The environment variable that holds the key."""
    assert model.endpoint is not None
    return model.endpoint.key_env or KEY


def key(model: Model) -> str:
    """The key, "" where none is set (a server of one's own needs none). Raises ConfigError, without the key in it."""
    assert model.endpoint is not None
    name = key_name(model)
    found = os.environ.get(name, "").strip()
    if not found and model.endpoint.key_env:
        raise ConfigError(f"models.{model.name}.key_env: environment variable {name} is not set. Set it to the key.")
    if not (found.isascii() and found.isprintable()):
        raise ConfigError(f"environment variable {name}: holds characters that no key has. Set it again.")
    return found
