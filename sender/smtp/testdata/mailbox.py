# Mail servers of aiosmtpd, one for each way of encryption and authentication.
# The first line printed is their ports; each other one is an e-mail as Python's
# parser reads it. It ends with its standard input.
import asyncio, base64, email, email.policy, hashlib, hmac, json, os, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD, CERTIFICATE, KEY = sys.argv[1:]
MECHANISMS = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1"]


def say(thing):
    print(json.dumps(thing), flush=True)


async def scram(server, name):
    """RFC 5802, without channel binding."""
    mac = lambda key, text: hmac.digest(key, text, name)
    first = (await server.challenge_auth("")).decode()
    assert first.startswith("n,,n=" + USER + ",r="), first
    bare = first[3:]
    salt, rounds = os.urandom(16), 4096
    nonce = bare.split(",r=")[1] + base64.b64encode(os.urandom(18)).decode()
    ours = "r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt).decode(), rounds)
    last = (await server.challenge_auth(ours)).decode()
    final, proof = last.split(",p=")
    assert final == "c=biws,r=" + nonce, final
    salted = hashlib.pbkdf2_hmac(name, PASSWORD.encode(), salt, rounds)
    text = ",".join([bare, ours, final]).encode()
    key = mac(salted, b"Client Key")
    signature = mac(hashlib.new(name, key).digest(), text)
    if base64.b64decode(proof) != bytes(a ^ b for a, b in zip(key, signature)):
        return AuthResult(success=False, handled=False)
    answer = await server.challenge_auth(b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), text)))
    assert answer == b"", answer
    return AuthResult(success=True, auth_data=USER)


class Mailbox:
    async def auth_SCRAM__SHA__256(self, server, args):
        return await scram(server, "sha256")

    async def auth_SCRAM__SHA__1(self, server, args):
        return await scram(server, "sha1")

    async def handle_DATA(self, server, session, envelope):
        raw = envelope.original_content
        m = email.message_from_bytes(raw, policy=email.policy.default)
        part = lambda kind: (lambda p: p and p.get_content().replace("\r\n", "\n"))(m.get_body((kind,)))
        say({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "helo": session.host_name,
            "user": session.authenticated, "tls": session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None,
            "headers": [[k, str(v)] for k, v in m.items()], "type": m.get_content_type(),
            "text": part("plain"), "html": part("html"), "defects": [repr(d) for p in m.walk() for d in p.defects],
            "ascii": raw.isascii(), "longest": max(len(line) for line in raw.split(b"\r\n")), "bare": raw.replace(b"\r\n", b"").count(b"\n"),
        })
        return "250 2.0.0 taken"


def check(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == USER.encode() and data.password == PASSWORD.encode(), handled=False)


async def main():
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    ports = {}
    for way in ["starttls", "tls", "none"]:
        for mechanism in MECHANISMS + [""]:
            def factory(way=way, mechanism=mechanism):
                return SMTP(Mailbox(), hostname="mailbox", authenticator=check, auth_required=mechanism != "",
                            auth_exclude_mechanism=[m for m in MECHANISMS if m != mechanism],
                            auth_require_tls=way == "starttls", enable_SMTPUTF8=True,
                            tls_context=context if way == "starttls" else None, require_starttls=way == "starttls")
            server = await loop.create_server(factory, "127.0.0.1", 0, ssl=context if way == "tls" else None)
            ports[way + " " + mechanism] = server.sockets[0].getsockname()[1]
    say(ports)
    await loop.run_in_executor(None, sys.stdin.read)


import logging, warnings
warnings.simplefilter("ignore")
logging.disable()
asyncio.run(main())
