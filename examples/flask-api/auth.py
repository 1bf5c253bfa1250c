"""Who calls: the access token, checked with PyJWT and the keys of the issuer, and against the feed of ended sessions."""

import functools

import jwt
from flask import Response, g, request

from revocations import RevocationsUnavailable


class Auth:
    def __init__(self, issuer, revocations):
        self._issuer = issuer
        self._keys = jwt.PyJWKClient(issuer.rstrip("/") + "/.well-known/jwks.json", lifespan=600)
        self._revocations = revocations

    def require_user(self, view):
        """Lets only verified callers on; `g.claims` is what their token says."""

        @functools.wraps(view)
        def guarded(*args, **kwargs):
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return refuse('Bearer realm="reports"')
            try:
                g.claims = self._verify(token)
                ended = self._revocations.check(g.claims)
            except RevocationsUnavailable:
                return try_again()
            except jwt.PyJWKClientError as error:
                # No key of this name, or no keys at all because the issuer does not answer.
                if isinstance(error.__context__, OSError):
                    return try_again()
                return refuse('Bearer realm="reports", error="invalid_token"')
            except (jwt.InvalidTokenError, KeyError):
                return refuse('Bearer realm="reports", error="invalid_token"')
            if ended is not None:
                return refuse(f'Bearer realm="reports", error="invalid_token", error_description="{ended}"')
            return view(*args, **kwargs)

        return guarded

    def _verify(self, token):
        # RFC 9068 §4: an id token, or anything else that the issuer has signed, is no access token.
        if jwt.get_unverified_header(token).get("typ") != "at+jwt":
            raise jwt.InvalidTokenError("not an access token")
        return jwt.decode(
            token,
            self._keys.get_signing_key_from_jwt(token).key,
            algorithms=["ES256"],
            audience=self._issuer,
            issuer=self._issuer,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "sid", "gen"]},
        )


def refuse(challenge):
    return Response("log in first\n", 401, {"WWW-Authenticate": challenge})


def try_again():
    return Response("try again\n", 503, {"Retry-After": "1"})
