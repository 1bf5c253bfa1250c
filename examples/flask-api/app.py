"""An API in Python whose users log in at Gatebook."""

import os

from flask import Flask, g, jsonify

from auth import Auth
from revocations import Revocations

issuer = os.environ["AUTH_ISSUER"]
revocations = Revocations(issuer, os.environ["AUTH_CLIENT_ID"], os.environ["AUTH_CLIENT_SECRET"])
revocations.start()
auth = Auth(issuer, revocations)
app = Flask(__name__)


@app.get("/reports")
@auth.require_user
def reports():
    return jsonify(user=g.claims["sub"], roles=g.claims["roles"])
