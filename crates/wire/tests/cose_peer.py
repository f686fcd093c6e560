"""The other side of tests/it/sealed.rs: opens and makes sealed envelopes by an independent COSE library.

Reads one JSON object from the standard input, writes one to the standard output; bytes are hexadecimal.
"""

import json
import sys

import cbor2
import cwt
import zstandard
from cwt import COSE, COSEKey, Recipient

CLAIMS = -65537


def p256(words, secret):
    point = bytes.fromhex(words["public"])
    key = {1: 2, -1: 1, 3: -25, 2: bytes.fromhex(words["kid"]), -2: point[1:33], -3: point[33:]}
    if secret:
        key[-4] = bytes.fromhex(words["secret"])
    return COSEKey.new(key)


def ed25519(words, secret):
    key = {1: 1, -1: 6, 3: -8, 2: bytes.fromhex(words["kid"]), -2: bytes.fromhex(words["public"])}
    if secret:
        key[-4] = bytes.fromhex(words["secret"])
    return COSEKey.new(key)


def opened(words):
    bound = bytes.fromhex(words["bound"])
    outer, _, inner = COSE.new().decode_with_headers(
        bytes.fromhex(words["envelope"]),
        keys=[p256(words["recipient"], True)],
        context={"alg": "A256GCM"},
        external_aad=bound,
    )
    head, _, payload = COSE.new().decode_with_headers(inner, keys=[ed25519(words["signer"], False)], external_aad=bound)
    claims = head[CLAIMS]
    return {
        "algorithms": [outer[1], head[1]],
        "type": head[3],
        "claims": [claims[1].hex(), claims[2], claims[3], claims[4], claims[5], claims[6]],
        "content": zstandard.ZstdDecompressor().decompress(payload).hex(),
    }


def made(words):
    bound = bytes.fromhex(words["bound"])
    sender, epoch, seq, kind, issued, expires = words["claims"]
    claims = {1: bytes.fromhex(sender), 2: epoch, 3: seq, 4: kind, 5: issued, 6: expires}
    signer = ed25519(words["signer"], True)
    inner = COSE.new().encode_and_sign(
        zstandard.ZstdCompressor().compress(bytes.fromhex(words["content"])),
        signer,
        protected={1: -8, 3: words["type"], 4: signer.kid, CLAIMS: claims},
        external_aad=bound,
    )
    recipient = p256(words["recipient"], False)
    to = Recipient.new(
        protected={1: -25}, unprotected={4: recipient.kid}, recipient_key=recipient, context={"alg": "A256GCM"}
    )
    envelope = COSE.new().encode_and_encrypt(
        inner,
        protected={1: 3, 3: 'application/cose; cose-type="cose-sign1"'},
        recipients=[to],
        external_aad=bound,
    )
    return {"envelope": envelope.hex()}


def main():
    words = json.load(sys.stdin)
    json.dump(opened(words) if "envelope" in words else made(words), sys.stdout)


if __name__ == "__main__":
    main()
