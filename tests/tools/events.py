"""Reads TensorBoard's event files by what the formats say: records with CRC-32C sums, and protocol buffers on the wire. Nothing here is shared with
what writes them (tuning/reports/events.cpp)."""
import collections
import struct

KIND = {0: "varint", 1: "double", 2: "bytes", 5: "float"}


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked(data[at:at + 8]), "sum of a length"
        record = data[at + 12:at + 12 + length]
        assert len(record) == length, "the file ends inside of a record"
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(record), "sum of a record"
        yield record
        at += 16 + length


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def message(data):
    """Field number -> the values of the field, in order."""
    fields, at = collections.defaultdict(list), 0
    while at < len(data):
        key, at = varint(data, at)
        kind = KIND[key & 7]
        if kind == "varint":
            value, at = varint(data, at)
        elif kind == "bytes":
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
            assert len(value) == length
        else:
            size = 8 if kind == "double" else 4
            (value,) = struct.unpack_from("<d" if size == 8 else "<f", data, at)
            at += size
        fields[key >> 3].append(value)
    return fields


def doubles(data):
    return list(struct.unpack(f"<{len(data) // 8}d", data))


Histogram = collections.namedtuple("Histogram", "min max count sum squares limits counts")
GraphNode = collections.namedtuple("GraphNode", "name op inputs device shapes")


def histogram(data):
    f = message(data)
    return Histogram(f[1][0], f[2][0], f[3][0], f[4][0], f[5][0], doubles(f[6][0]), doubles(f[7][0]))


def shapes(data):
    """Of the entry `_output_shapes` of a node's attributes."""
    entry = message(data)
    assert entry[1] == [b"_output_shapes"]
    found = []
    for shape in message(message(entry[2][0])[1][0])[7]:
        dims = [message(d)[1][0] for d in message(shape)[2]]
        found.append([d - (1 << 64) if d >> 63 else d for d in dims])
    return found


def nodes(data):
    for node in message(data)[1]:
        f = message(node)
        yield GraphNode(f[1][0].decode(), f[2][0].decode(), [i.decode() for i in f[3]], f[4][0].decode() if f[4] else "", shapes(f[5][0]))


class Run:
    """What one folder of events says: scalars and histograms by tag and step, and the nodes of the graph."""

    def __init__(self, folder):
        files = [p for p in folder.iterdir() if "tfevents" in p.name]
        assert len(files) == 1, files
        self.scalars, self.histograms, self.graph = {}, {}, []
        events = [message(r) for r in records(files[0].read_bytes())]
        assert events[0][3] == [b"brain.Event:2"]
        for event in events:
            assert event[1][0] > 1.7e9, "a time"
            step = event[2][0] if event[2] else 0
            for graph in event[4]:
                self.graph += nodes(graph)
            for value in (v for s in event[5] for v in message(s)[1]):
                f = message(value)
                tag = f[1][0].decode()
                if f[5]:
                    self.histograms.setdefault(tag, {})[step] = histogram(f[5][0])
                else:
                    self.scalars.setdefault(tag, {})[step] = f[2][0]
