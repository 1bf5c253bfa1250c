"""The feed of ended sessions, followed by a thread: see docs/revocation.md of Gatebook."""

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ALL = float("inf")


class RevocationsUnavailable(Exception):
    """Whether a session has ended cannot be told: answer 503."""


class Revocations:
    """Answers from memory. `start` begins to follow; nothing is known before the first answer."""

    def __init__(self, issuer, client_id, client_secret, wait=5, max_stale=60):
        pair = f"{urllib.parse.quote(client_id)}:{urllib.parse.quote(client_secret)}"
        self._headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        self._url = issuer.rstrip("/") + "/auth/revocations"
        self._wait = wait
        self._max_stale = max_stale
        # Session id → (smallest generation that is good, why it has ended, when to forget it).
        self._sessions = {}
        self._fresh_at = None
        self._after = None

    def start(self):
        threading.Thread(target=self._follow, daemon=True).start()

    def check(self, claims):
        """None when the session is well, else why not. Raises RevocationsUnavailable."""
        if self._fresh_at is None or time.monotonic() - self._fresh_at > self._max_stale:
            raise RevocationsUnavailable()
        least, reason, _ = self._sessions.get(claims["sid"], (0, None, 0))
        return None if claims["gen"] >= least else reason or "stale"

    def _follow(self):
        while True:
            try:
                more = self._ask()
            except urllib.error.HTTPError as error:
                if error.code == 422:  # The place that was reached is nobody's any more: from the start.
                    self._after = None
                print(f"the revocation feed answered {error.code}", flush=True)
                time.sleep(1)
                continue
            except Exception as error:  # The list that is there goes on until it is too old.
                print(f"the revocation feed does not answer: {error}", flush=True)
                time.sleep(1)
                continue
            if not more:
                self._forget()
                time.sleep(0.1)

    def _ask(self):
        began = time.monotonic()
        first = self._fresh_at is None
        query = {"wait": 0 if first else self._wait, **({"after": self._after} if self._after else {})}
        request = urllib.request.Request(f"{self._url}?{urllib.parse.urlencode(query)}", headers=self._headers)
        with urllib.request.urlopen(request, timeout=self._wait + 10) as response:
            page = json.load(response)
        for entry in page["entries"]:
            least = entry["gen"] if entry["kind"] == "stale" else ALL
            known, reason, forget_at = self._sessions.get(entry["sid"], (0, None, 0))
            self._sessions[entry["sid"]] = (
                max(known, least),
                entry["reason"] or reason,
                max(forget_at, entry["forget_at"]),
            )
        self._after = page["next"]
        if not page["more"]:
            self._fresh_at = began
        return page["more"]

    def _forget(self):
        now = time.time() * 1000
        for sid in [sid for sid, (_, _, forget_at) in self._sessions.items() if forget_at < now]:
            del self._sessions[sid]
