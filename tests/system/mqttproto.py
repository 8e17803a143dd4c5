"""MQTT packets for tests that speak it by hand."""


def connect_of(client_id=b"one", level=4, flags=2, keep_alive=60, payload=b""):
    """A CONNECT of 3.1.1, or of the level."""
    body = b"\x00\x04MQTT" + bytes([level, flags]) + keep_alive.to_bytes(2, "big") + (b"\x00" if level == 5 else b"")
    body += len(client_id).to_bytes(2, "big") + client_id + payload
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 + 128, len(body) // 128])
    return b"\x10" + length + body
