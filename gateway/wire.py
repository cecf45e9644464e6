"""Messages <-> lines: one JSON object a line, UTF-8, at most 1 MiB. No socket here."""

import msgspec

from gateway.errors import WireError
from gateway.messages import Envelope

MAX_LINE_BYTES = 1 << 20

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


def encode(envelope: Envelope) -> bytes:
    """One line with its newline. Raises WireError for text that is no UTF-8 (half a surrogate pair), and when
    the line would be longer than a peer accepts."""
    try:
        line = _encoder.encode(envelope) + b"\n"
    except UnicodeEncodeError as error:
        raise WireError(
            f"a {type(envelope.body).__name__} holds text that cannot be written as UTF-8: {error.reason}",
            where="control socket",
            remedy="Use names and paths of plain text",
        ) from None
    if len(line) > MAX_LINE_BYTES:
        raise WireError(
            f"a {type(envelope.body).__name__} of {len(line)} bytes is too long",
            where="control socket",
            remedy=f"Keep messages under {MAX_LINE_BYTES} bytes",
        )
    return line


def decode(line: bytes) -> Envelope:
    """The envelope of one line (newline optional). Raises WireError naming the field that is wrong."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(
            f"not a message of this protocol: {error}",
            where="control socket",
            remedy="Send one JSON object a line, as gateway/messages.py describes",
        ) from None


class LineSplitter:
    """Bytes in any pieces -> whole lines. Raises WireError when a line outgrows MAX_LINE_BYTES."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newlines; empty lines are skipped."""
        self._rest += data
        whole: list[bytes] = []
        if b"\n" in data:
            *whole, rest = bytes(self._rest).split(b"\n")
            self._rest = bytearray(rest)
        if len(self._rest) > MAX_LINE_BYTES or any(len(line) > MAX_LINE_BYTES for line in whole):
            raise WireError(
                f"a line is longer than {MAX_LINE_BYTES} bytes",
                where="control socket",
                remedy="Split the request",
            )
        return [line for line in whole if line.strip()]


def to_json(value: object, indent: int = 2) -> str:
    """Any message or status value as JSON text for programs; `indent` 0: on one line."""
    text = msgspec.json.encode(value)
    return (msgspec.json.format(text, indent=indent) if indent else text).decode()
