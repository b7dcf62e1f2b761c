"""An HTTP vendor that writes down what it takes before it says so, and misbehaves on cue.

`python -m notifyhub.messaging.tests.kit.http_sink LOG [--secret S] [--key-secret S] [--delay SECONDS]`
prints its port when it listens. It speaks the signed webhook (POST /send) and Alibaba Cloud SMS (POST /?…),
and checks the signature of every request by its own arithmetic. A line of the log is recipient and key.

The recipient asks for trouble, by the first word of an address or the last four digits of a number (MODES):
a mode's name alone is for ever, `once-` before it only for the first request with that key.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import struct
import sys
import time
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

MODES = {
    "0429": "limited",
    "0500": "broken",
    "0503": "closed",
    "0000": "hang",
    "0001": "drip",
    "0002": "drop",
    "0003": "reject",
    "0004": "garbage",
    "0302": "redirect",
    "0005": "unheard",
    "0006": "once-limited",
    "0007": "once-drop",
    "0008": "reset",
}
# Those in which the message is taken before things go wrong.
TAKEN = frozenset(("ok", "hang", "drip", "drop", "garbage"))


def mode_of(to: str) -> str:
    """Return what this recipient makes the server do."""
    if to.lstrip("+").isdigit():
        return MODES.get(to[-4:], "ok")
    word = to.partition("@")[0].rpartition(".")[0] or "ok"
    return word if word.removeprefix("once-") in MODES.values() else "ok"


class Sink:
    """What was taken, and how often each key was asked for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.log = os.open(options.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.asked: dict[str, int] = defaultdict(int)
        self.taken: list[tuple[str, str, str]] = []

    def take(self, to: str, key: str) -> str:
        """Write the message down, on the disk, and return the name we give it."""
        os.write(self.log, f"{to} {key}\n".encode())
        os.fsync(self.log)
        name = hashlib.sha256(f"{key} {len(self.taken)}".encode()).hexdigest()[:16]
        self.taken.append((to, key, name))
        return name

    async def answer(self, request: web.Request, *, to: str, key: str, shape: Any) -> web.StreamResponse:
        """Treat one message as its recipient's mode says; `shape(name, code)` makes the vendor's body."""
        self.asked[key] += 1
        mode = mode_of(to)
        if mode.startswith("once-"):
            mode = mode.removeprefix("once-") if self.asked[key] == 1 else "ok"
        if self.options.delay:
            await asyncio.sleep(self.options.delay)
        name = self.take(to, key) if mode in TAKEN else ""
        if mode == "hang":
            await asyncio.sleep(3600)
        if mode in ("drop", "reset"):
            _reset(request)
            await asyncio.sleep(3600)
        if mode == "drip":
            return await _drip(request, shape(name, ""))
        if mode == "limited":
            return web.json_response({"note": "slow down"}, status=429, headers={"Retry-After": "7"})
        if mode == "broken":
            return web.Response(text="oops", status=500)
        if mode == "closed":
            return web.Response(text="closed", status=503, headers={"Retry-After": "9"})
        if mode == "garbage":
            return web.Response(text='{"Code": "O', content_type="application/json")
        if mode == "redirect":
            return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{self.port}/elsewhere"})
        if mode in ("reject", "unheard"):
            return shape("", mode)
        return shape(name, "")

    port = 0


def _reset(request: web.Request) -> None:
    """End the connection without a farewell (RST)."""
    transport = request.transport
    if transport is not None:
        taken = transport.get_extra_info("socket")
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


async def _drip(request: web.Request, whole: web.Response) -> web.StreamResponse:
    body = bytes(whole.body or b"") + b" " * 600
    slow = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await slow.prepare(request)
    for place in range(len(body)):
        await slow.write(body[place : place + 1])
        await asyncio.sleep(0.2)
    return slow


async def take_webhook(request: web.Request) -> web.StreamResponse:
    """The signed webhook."""
    sink: Sink = request.app["sink"]
    body = await request.read()
    name, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    key = base64.b64decode(sink.options.secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    given = request.headers.get("webhook-signature", "").split()
    if f"v1,{base64.b64encode(digest).decode()}" not in given or abs(time.time() - int(stamp)) > 300:
        return web.json_response({"error": "signature"}, status=401)
    data = json.loads(body)["data"]

    def shape(taken: str, code: str) -> web.Response:
        if code == "reject":
            return web.json_response({"note": "no such recipient"}, status=422)
        if code == "unheard":
            return web.json_response({"error": "out of stamps"})
        return web.json_response({"id": taken}, status=202)

    if data["key"] != name:
        return web.json_response({"error": "key"}, status=400)
    return await sink.answer(request, to=data["to"], key=name, shape=shape)


async def take_aliyun(request: web.Request) -> web.StreamResponse:
    """SendSms and QuerySendDetails."""
    sink: Sink = request.app["sink"]
    query = request.rel_url.raw_query_string
    if not _signed_by(sink.options.key_secret, request, query, await request.read()):
        return web.json_response({"Code": "SignatureDoesNotMatch", "Message": "bad"}, status=403)
    params = dict(parse_qsl(query, strict_parsing=True))
    if request.headers["x-acs-action"] == "QuerySendDetails":
        return _details(sink, params)
    wanted = ("PhoneNumbers", "SignName", "TemplateCode", "TemplateParam", "OutId")
    if any(not params.get(name) for name in wanted):
        return web.json_response({"Code": "isv.INVALID_PARAMETERS", "Message": "missing"})

    def shape(taken: str, code: str) -> web.Response:
        if code:
            said = {"reject": "isv.MOBILE_NUMBER_ILLEGAL", "unheard": "isv.SOMETHING_NEW"}[code]
            return web.json_response({"Code": said, "Message": "no", "RequestId": "1"})
        return web.json_response({"Code": "OK", "Message": "OK", "BizId": taken, "RequestId": "1"})

    json.loads(params["TemplateParam"])
    return await sink.answer(request, to=params["PhoneNumbers"], key=params["OutId"], shape=shape)


def _signed_by(secret: str, request: web.Request, query: str, body: bytes) -> bool:
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    given = dict(part.split("=", 1) for part in rest.split(",") if "=" in part)
    names = given.get("SignedHeaders", "").split(";")
    digest = hashlib.sha256(body).hexdigest()
    if (
        scheme != "ACS3-HMAC-SHA256"
        or "host" not in names
        or request.headers["x-acs-content-sha256"] != digest
    ):
        return False
    parts = ["POST", request.rel_url.raw_path, query]
    parts.append("".join(f"{name}:{request.headers[name].strip()}\n" for name in names))
    text = "\n".join([*parts, ";".join(names), digest])
    to_sign = f"{scheme}\n{hashlib.sha256(text.encode()).hexdigest()}"
    made = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(made, given.get("Signature", ""))


def _details(sink: Sink, params: dict[str, str]) -> web.Response:
    rows = [
        {
            "OutId": key,
            "SendStatus": 2 if to.endswith("9") else 3,
            "ErrCode": "MOBILE_NOT_ON_SERVICE" if to.endswith("9") else "DELIVERED",
            "ReceiveDate": "2026-11-22 09:00:00",
            "PhoneNum": to,
        }
        for to, key, _name in sink.taken
        if to == params["PhoneNumber"]
    ]
    return web.json_response(
        {"Code": "OK", "TotalCount": len(rows), "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}
    )


async def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--secret", default="whsec_" + base64.b64encode(b"sink").decode())
    parser.add_argument("--key-secret", default="sink")
    parser.add_argument("--delay", type=float, default=0.0)
    sink = Sink(parser.parse_args())
    app = web.Application()
    app["sink"] = sink
    app.router.add_post("/send", take_webhook)
    app.router.add_post("/", take_aliyun)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sink.port = runner.addresses[0][1]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sys.stdout.write(f"{sink.port}\n")
    sys.stdout.flush()
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
