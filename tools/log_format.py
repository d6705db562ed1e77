"""The bytes of an ironweave log, as docs/log-format.md specifies them: CBOR items, values, blocks, frames and schemas.

It is used by read_log.py and write_log.py, and was written from that page alone.
"""

import struct

try:
    import cbor2
    import xxhash
except ImportError as missing:
    raise SystemExit(
        f"{missing}; install the packages cbor2 and xxhash: `apt-get install python3-cbor2 python3-xxhash`, "
        "or `pip install cbor2 xxhash`"
    )

VERSIONS = (2, 3)
BLOCK_BYTES = 64
FRAME_HEADER_BYTES = 56
PAYLOAD_BYTES_MAX = (1 << 30) - 1
SEGMENT_MAGIC, HEAD_MAGIC = b"IWSEGMNT", b"IWLOGHED"
FRAME_MAGIC = bytes([0xFC, 0x49, 0x57, 0x1D])
SCHEMA, TRANSACTION, MIGRATION = 1, 2, 3
# The flags of frames.
GROUP, GROUP_END = 1, 2
CREATE, DELETE, MOVE, SET, LINK, UNLINK, SET_LINK = range(7)
DEPTH_MAX = 256
M64, M128 = (1 << 64) - 1, (1 << 128) - 1


class Invalid(Exception):
    """What a reader must refuse."""


class Newer(Invalid):
    """What a newer version of ironweave may have written."""


def xxh3(data, seed=0):
    return xxhash.xxh3_64_intdigest(bytes(data), seed=seed)


# CBOR items

UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
BREAK = 0xFF


def head(major, n):
    """Returns the head of an item in its shortest form."""
    if n < 24:
        return bytes([major << 5 | n])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << 8 * size:
            return bytes([major << 5 | info]) + n.to_bytes(size, "big")
    raise ValueError(f"{n} has no head")


def integer(n):
    """Returns an integer as an item: beyond 64 bits a bignum, without zeros at its beginning."""
    major, n, tag = (UINT, n, 2) if n >= 0 else (NEGATIVE, -1 - n, 3)
    if n <= M64:
        return head(major, n)
    data = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return head(TAG, tag) + head(BYTES, len(data)) + data


def text(value):
    data = value.encode()
    return head(TEXT, len(data)) + data


def read_head(data, at):
    """Reads a head. Returns the major type, the number (None for an indefinite length), and the offset behind it."""
    if at >= len(data):
        raise Invalid("it ends within an item")
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info < 24:
        return major, info, at
    if info == 31 and major in (BYTES, TEXT, ARRAY, MAP):
        return major, None, at
    if info > 27:
        raise Invalid(f"the byte {data[at - 1]:#04x} begins no item")
    size = 1 << (info - 24)
    if at + size > len(data):
        raise Invalid("it ends within an item")
    n = int.from_bytes(data[at : at + size], "big")
    # What follows the first byte of a float are its bits.
    least = (32 if size == 1 else 0) if major == SIMPLE else (24 if size == 1 else 1 << 4 * size)
    if n < least:
        raise Invalid("a head is not in its shortest form")
    return major, n, at + size


def item_end(data, at, depth=0, strict=False):
    """Returns the offset behind the item at an offset, after checking that it is well-formed. A strict item has definite
    lengths, and maps in which no key occurs twice."""
    major, n, at = read_head(data, at)
    if n is None and strict:
        raise Invalid("an item has no definite length")
    if major in (BYTES, TEXT):
        if n is not None:
            return bytes_end(data, at, n, strict and major == TEXT)
        while at < len(data) and data[at] != BREAK:
            chunk, n, at = read_head(data, at)
            if chunk != major or n is None:
                raise Invalid("a text or byte string has a chunk of another type")
            at = bytes_end(data, at, n)
        if at >= len(data):
            raise Invalid("it ends within an item")
        return at + 1
    if major in (ARRAY, MAP, TAG):
        items = {ARRAY: n, MAP: n and 2 * n, TAG: 1}[major]
        if items == 0:
            return at
        if depth == DEPTH_MAX:
            raise Invalid(f"a value is nested deeper than {DEPTH_MAX} levels")
        keys = set()
        i = 0
        while items is None or i < items:
            if items is None and at < len(data) and data[at] == BREAK:
                if major == MAP and i % 2:
                    raise Invalid("a map ends after a key")
                return at + 1
            start, at = at, item_end(data, at, depth + 1, strict)
            if strict and major == MAP and i % 2 == 0:
                key = bytes(data[start:at])
                if key in keys:
                    raise Invalid("a key of a map occurs twice")
                keys.add(key)
            i += 1
    return at


def bytes_end(data, at, n, is_utf8=False):
    if at + n > len(data):
        raise Invalid("it ends within an item")
    if is_utf8:
        try:
            bytes(data[at : at + n]).decode()
        except UnicodeDecodeError:
            raise Invalid("a text is not UTF-8")
    return at + n


def decode(data):
    """Returns one item as a value of Python."""
    try:
        return cbor2.loads(bytes(data))
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError) as e:
        raise Invalid(f"it is not CBOR: {e}")


def decode_strict(data):
    """Returns the value of bytes that must be one strict item."""
    if item_end(data, 0, strict=True) != len(data):
        raise Invalid("bytes follow it")
    return decode(data)


class Items:
    """Reads items of known types one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def _head(self, majors, what):
        major, n, at = read_head(self.data, self.at)
        if major not in majors or n is None:
            raise Invalid(f"there is another item instead of {what}")
        self.at = at
        return major, n

    def array(self):
        return self._head((ARRAY,), "an array")[1]

    def map(self):
        return self._head((MAP,), "a map")[1]

    def uint(self, most=M64):
        n = self._head((UINT,), "a number")[1]
        if n > most:
            raise Invalid(f"{n} is more than {most}")
        return n

    def int64(self):
        major, n = self._head((UINT, NEGATIVE), "a number")
        if n >> 63:
            raise Invalid("a number does not fit into 64 bits")
        return n if major == UINT else -1 - n

    def text(self):
        start, n = self.at, self._head((TEXT,), "a text")[1]
        self.at = bytes_end(self.data, self.at, n, True)
        return decode(self.data[start : self.at])

    def id(self):
        return check_id(self.uint())

    def raw(self):
        start, self.at = self.at, item_end(self.data, self.at)
        return bytes(self.data[start : self.at])

    def is_at(self, byte):
        return self.at < len(self.data) and self.data[self.at] == byte

    def end(self):
        if self.at != len(self.data):
            raise Invalid(f"{len(self.data) - self.at} bytes follow it")


# Ids and words

def check_id(bits):
    if bits >> 56:
        raise Invalid(f"{bits} is not an id")
    return bits


UNSIGNED = {"U8": 8, "U16": 16, "U32": 32, "U64": 64}
SIGNED = {"I8": 8, "I16": 16, "I32": 32, "I64": 64, "Timestamp": 64}


KNOWN = {*UNSIGNED, *SIGNED, "Unit", "Bool", "U128", "I128", "F32", "F64", "Char", "Text", "Duration"}
KNOWN |= {"Id", "Key", "Option", "List"}


def kind_of(encoding):
    """Returns the name of an encoding, and what it is of."""
    if isinstance(encoding, str):
        return encoding, None
    if isinstance(encoding, dict) and len(encoding) == 1:
        return next(iter(encoding.items()))
    return None, None


def has_words(encoding):
    name = kind_of(encoding)[0]
    return name in UNSIGNED or name in SIGNED or name in ("Bool", "F32", "F64", "Char", "Id")


def of_word(encoding, word):
    """Returns the CBOR that a word of an encoding is equivalent to."""
    name, wrong = kind_of(encoding)[0], Invalid(f"no value of {encoding} has the word {word:#x}")
    if name in UNSIGNED:
        if word >> UNSIGNED[name]:
            raise wrong
        return head(UINT, word)
    if name in SIGNED:
        n = word - (1 << 64) if word >> 63 else word
        if not -1 << SIGNED[name] - 1 <= n < 1 << SIGNED[name] - 1:
            raise wrong
        return integer(n)
    if name == "Bool" and word <= 1:
        return bytes([0xF4 + word])
    if name == "F32" and word >> 32 == 0:
        return b"\xfa" + word.to_bytes(4, "big")
    if name == "F64":
        return b"\xfb" + word.to_bytes(8, "big")
    if name == "Char" and word < 0x110000 and not 0xD800 <= word < 0xE000:
        return head(UINT, word)
    if name == "Id":
        return head(UINT, check_id(word))
    raise wrong


def check_value(encoding, data, schema):
    """Refuses a value that does not have its encoding."""
    name, of = kind_of(encoding)
    if name not in KNOWN:
        return  # "Serde", missing or unknown: any item
    value, first = decode(data), data[0]
    is_int = isinstance(value, int) and not isinstance(value, bool)

    def items(n=None):
        if first >> 5 != ARRAY or (n is not None and len(value) != n):
            raise Invalid(f"a value of {encoding} is not such an array")
        at = read_head(data, 0)[2]
        while at < len(data) and data[at] != BREAK:
            start, at = at, item_end(data, at)
            yield data[start:at]

    if name in UNSIGNED or name == "U128":
        good = is_int and 0 <= value < 1 << (UNSIGNED.get(name) or 128)
    elif name in SIGNED or name == "I128":
        bits = SIGNED.get(name) or 128
        good = is_int and -1 << bits - 1 <= value < 1 << bits - 1
    elif name == "Bool":
        good = isinstance(value, bool)
    elif name == "Unit":
        good = data == b"\x80"
    elif name == "F32":
        good = first == 0xFA
    elif name == "F64":
        good = first in (0xFA, 0xFB)  # A value that was an "F32" stays as it is when it is carried over.
    elif name == "Char":
        good = is_int and 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000
    elif name == "Text":
        good = isinstance(value, str) and first != 0x7F
    elif name == "Duration":
        good = isinstance(value, dict) and list(value) == ["secs", "nanos"]
    elif name == "Id":
        good = is_int and 0 <= value >> 56 < 1
    elif name == "Key":
        columns = schema.keys[of]
        if len(columns) == 1:
            return check_value(columns[0].encoding, data, schema)
        for column, item in zip(columns, items(len(columns))):
            check_value(column.encoding, item, schema)
        good = True
    elif name == "Option":
        if data != b"\xf6":
            check_value(of, data, schema)
        good = True
    elif name == "List":
        for item in items():
            check_value(of, item, schema)
        good = True
    if not good:
        raise Invalid(f"{value!r} is no value of {encoding}")


# Blocks and frames

class Block:
    def __init__(self, version, epoch, seq, fingerprint, store, timeline):
        self.version, self.epoch, self.seq = version, epoch, seq
        self.fingerprint, self.store, self.timeline = fingerprint, store, timeline

    def encode(self, magic):
        data = magic + struct.pack("<HHIQ", self.version, 0, self.epoch, self.seq)
        data += self.fingerprint.to_bytes(16, "little") + struct.pack("<QQ", self.store, self.timeline)
        return data + xxh3(data).to_bytes(8, "little")

    @classmethod
    def decode(cls, data, magic):
        """Returns the block; None if it is broken."""
        if len(data) < BLOCK_BYTES or data[:8] != magic or xxh3(data[:56]) != u64(data, 56):
            return None
        version, flags, epoch, seq = struct.unpack_from("<HHIQ", data, 8)
        if version not in VERSIONS:
            raise Newer(f"it is of format version {version}, and this program reads the versions 2 and 3")
        if version >= 3 and flags:
            raise Newer(f"it has the flags {flags:#x}, which are for later versions")
        return cls(version, epoch, seq, int.from_bytes(data[24:40], "little"), u64(data, 40), u64(data, 48))


def u64(data, at):
    return int.from_bytes(data[at : at + 8], "little")


class Frame:
    """The header of a frame and its payload."""

    def __init__(self, version, kind, epoch, seq, durable, fingerprint, payload, flags=0, checksum=None):
        self.version, self.kind, self.flags, self.epoch, self.seq = version, kind, flags, epoch, seq
        self.durable, self.fingerprint, self.payload, self.checksum = durable, fingerprint, payload, checksum

    def encode(self, store):
        start = FRAME_MAGIC + struct.pack("<I", len(self.payload))
        rest = struct.pack("<BBHIQQ", self.version, self.kind, self.flags, self.epoch, self.seq, self.durable)
        rest += self.fingerprint.to_bytes(16, "little") + self.payload
        rest += bytes(-(FRAME_HEADER_BYTES + len(self.payload)) % 8)
        return start + xxh3(rest, store ^ u64(start, 0)).to_bytes(8, "little") + rest


def frame_bytes(data, at):
    """Returns the length of the frame at an offset. The error says why no complete frame is there."""
    if at + FRAME_HEADER_BYTES > len(data):
        raise Invalid("the frame is incomplete")
    if data[at : at + 4] != FRAME_MAGIC:
        raise Invalid("no frame begins here")
    payload = int.from_bytes(data[at + 4 : at + 8], "little")
    if payload > PAYLOAD_BYTES_MAX:
        raise Invalid(f"its length of {payload} bytes exceeds the limit")
    length = FRAME_HEADER_BYTES + payload
    length += -length % 8
    if at + length > len(data):
        raise Invalid("the frame is incomplete")
    return length


def frame_at(data, at, store):
    """Returns the frame at an offset, and its length. Its content is not checked, only its checksum."""
    length = frame_bytes(data, at)
    if xxh3(data[at + 16 : at + length], store ^ u64(data, at)) != u64(data, at + 8):
        raise Invalid("its checksum is wrong")
    version, kind, flags, epoch, seq, durable = struct.unpack_from("<BBHIQQ", data, at + 16)
    fingerprint = int.from_bytes(data[at + 40 : at + 56], "little")
    payload = data[at + 56 : at + 56 + int.from_bytes(data[at + 4 : at + 8], "little")]
    return Frame(version, kind, epoch, seq, durable, fingerprint, payload, flags, u64(data, at + 8)), length


# Fingerprints

def fold(x, y):
    product = x * y
    return (product ^ product >> 64) & M64


def spread(salt, bits):
    return fold(bits ^ 0xA0761D6478BD642F, salt | 1)


def entity_term(entity, state, bits):
    salt = xxh3(f"{entity}: {state}".encode())
    return spread(salt, bits) * salt


def value_term(path, bits, value):
    return spread(xxh3(path.encode()), bits) * xxh3(value)


def link_term(path, a, b, data=None):
    salt = xxh3(path.encode())
    if data is not None:
        salt = fold(salt ^ 0x2D358DCCAA6C78A5, xxh3(data) ^ 0x8BB84B93962EACC9)
    return spread(salt, a) * spread(0x8EBC6AF09C88C6E3, b)
