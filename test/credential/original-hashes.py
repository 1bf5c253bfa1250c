"""Hashes of the passwords on the standard input (a JSON list), by the original implementations. Prints a JSON list of
{"by", "format", "password", "hash"}. The original is not there: the entry has "missing" in the place of a hash."""
import base64, hashlib, hmac, json, os, struct, subprocess, sys

passwords = json.load(sys.stdin)
made = []


def add(by, fmt, make):
    for password in passwords:
        try:
            entry = {"hash": make(password)}
        except ImportError as error:
            entry = {"missing": str(error)}
        made.append({"by": by, "format": fmt, "password": password, **entry})


def passlib_hash(name, **settings):
    def make(password):
        import passlib.hash

        return getattr(passlib.hash, name).using(**settings).hash(password)

    return make


def django_hash(name, **settings):
    def make(password):
        from django.conf import settings as configuration

        if not configuration.configured:
            configuration.configure()
        from django.contrib.auth import hashers

        hasher = getattr(hashers, name)()
        for key, value in settings.items():
            setattr(hasher, key, value)
        return hasher.encode(password, hasher.salt())

    return make


def werkzeug_hash(method):
    def make(password):
        from werkzeug.security import generate_password_hash

        return generate_password_hash(password, method=method)

    return make


def php_hash(script):
    def make(password):
        try:
            done = subprocess.run(["php", "-r", script], input=password.encode(), capture_output=True, check=True)
        except FileNotFoundError as error:
            raise ImportError("php") from error
        return done.stdout.decode().strip()

    return make


def argon2_program(kind):
    def make(password):
        if password == "":
            return None
        try:
            done = subprocess.run(
                ["argon2", "a salt of its own", kind, "-k", "1024", "-t", "2", "-p", "1", "-l", "32", "-e"],
                input=password.encode(), capture_output=True, check=True)
        except FileNotFoundError as error:
            raise ImportError("argon2") from error
        return done.stdout.decode().strip()

    return make


add("passlib", "bcrypt", passlib_hash("bcrypt", rounds=5, ident="2b"))
add("passlib", "bcrypt", passlib_hash("bcrypt", rounds=5, ident="2a"))
add("passlib", "bcrypt", passlib_hash("bcrypt", rounds=5, ident="2y"))
add("PHP password_hash", "bcrypt", php_hash("echo password_hash(stream_get_contents(STDIN), PASSWORD_BCRYPT, ['cost' => 5]);"))
add("Django", "bcrypt", django_hash("BCryptPasswordHasher", rounds=5))
add("Django", "bcrypt", django_hash("BCryptSHA256PasswordHasher", rounds=5))
add("argon2", "argon2", argon2_program("-i"))
add("argon2", "argon2", argon2_program("-id"))
add("Django", "argon2", django_hash("Argon2PasswordHasher", memory_cost=1024))
add("PHP password_hash", "argon2", php_hash("echo password_hash(stream_get_contents(STDIN), PASSWORD_ARGON2ID, ['memory_cost' => 1024]);"))
add("passlib", "scrypt", passlib_hash("scrypt", rounds=8))
add("Django", "pbkdf2-django", django_hash("PBKDF2PasswordHasher", iterations=1000))
add("Django", "pbkdf2-django", django_hash("PBKDF2SHA1PasswordHasher", iterations=1000))
add("Werkzeug", "pbkdf2-werkzeug", werkzeug_hash("pbkdf2:sha256:1000"))
add("Werkzeug", "pbkdf2-werkzeug", werkzeug_hash("pbkdf2:sha512:1000"))
add("passlib", "pbkdf2", passlib_hash("pbkdf2_sha1", rounds=1000))
add("passlib", "pbkdf2", passlib_hash("pbkdf2_sha256", rounds=1000))
add("passlib", "pbkdf2", passlib_hash("pbkdf2_sha512", rounds=1000))
add("passlib", "phpass", passlib_hash("phpass", rounds=8, ident="P"))
add("passlib", "phpass", passlib_hash("phpass", rounds=8, ident="H"))
add("passlib", "salted-sha-ldap", passlib_hash("ldap_salted_sha1"))
add("passlib", "salted-sha-ldap", passlib_hash("ldap_salted_sha256"))
add("passlib", "salted-sha-ldap", passlib_hash("ldap_salted_sha512"))
add("Django", "salted-sha-django", django_hash("SHA1PasswordHasher"))
add("passlib", "sha-crypt", passlib_hash("sha256_crypt", rounds=1500))
add("passlib", "sha-crypt", passlib_hash("sha512_crypt", rounds=1500))
add("PHP crypt", "sha-crypt", php_hash("echo crypt(stream_get_contents(STDIN), '$6$rounds=2000$saltstring$');"))

# What Debian 12 has no original of: derived here after the published descriptions, with Python's own primitives.
b64 = lambda data: base64.b64encode(data).decode()


def werkzeug_scrypt(password):
    """Werkzeug 2.3 and newer, werkzeug/security.py: hashlib.scrypt over the salt as text, 64 bytes, in hex."""
    salt = "Mj0vBwpOCxPYWqMs"
    return f"scrypt:4096:8:1${salt}${hashlib.scrypt(password.encode(), salt=salt.encode(), n=4096, r=8, p=1, maxmem=2**26).hex()}"


def django_scrypt(password):
    """Django 4.0 and newer, ScryptPasswordHasher: 64 bytes in base64."""
    salt = "vZNRl0hhdMLjNXfSfd0Ncv"
    return f"scrypt$4096${salt}$8$1${b64(hashlib.scrypt(password.encode(), salt=salt.encode(), n=4096, r=8, p=1, maxmem=2**26, dklen=64))}"


def aspnet(version, prf, iterations):
    """ASP.NET Core Identity, PasswordHasher.cs, in the layout of its comment."""
    def make(password):
        salt = bytes(range(16))
        if version == 2:
            return b64(b"\x00" + salt + hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 32))
        head = b"\x01" + struct.pack(">III", prf, iterations, len(salt))
        return b64(head + salt + hashlib.pbkdf2_hmac(["sha1", "sha256", "sha512"][prf], password.encode(), salt, iterations, 32))

    return make


def firebase(password):
    """github.com/firebase/scrypt: the derived key encrypts the signer key with AES-256-CTR from a counter of zero."""
    signer, salt, separator = bytes(range(64)), b"salt of user", b"\x01sep"
    key = hashlib.scrypt(password.encode(), salt=salt + separator, n=2**12, r=8, p=1, maxmem=2**26, dklen=32)
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    return f"$firebase-scrypt$ln=12,r=8${b64(separator)}${b64(signer)}${b64(salt)}${b64(encryptor.update(signer) + encryptor.finalize())}"


# WordPress 6.8, wp-includes/pluggable.php, wp_hash_password.
add("derived, hashed by PHP", "bcrypt", php_hash("echo '$wp' . password_hash(base64_encode(hash_hmac('sha384', trim(stream_get_contents(STDIN)), 'wp-sha384', true)), PASSWORD_BCRYPT, ['cost' => 5]);"))
add("derived", "scrypt-werkzeug", werkzeug_scrypt)
add("derived", "scrypt-django", django_scrypt)
add("derived", "scrypt-firebase", firebase)
add("derived", "pbkdf2-aspnet", aspnet(3, 1, 1000))
add("derived", "pbkdf2-aspnet", aspnet(3, 2, 1000))
add("derived", "pbkdf2-aspnet", aspnet(2, 0, 1000))

json.dump([entry for entry in made if entry.get("hash", "") is not None], sys.stdout)
