"""Small data files with something wrong in them: each is drawn from its format and its number alone.

Half of the mutations know the format (a header's fields, a member's size, an operation of a pickle), half know bytes only.
"""

import gzip
import io
import itertools
import pickle
import pickletools
import struct
import tarfile
import warnings
import zipfile
import zlib

import numpy as np

from tests.data.cifar_files import SIZE, like_python_2, tar_gz
from tests.data.writers import idx_bytes

INTEGERS = (0, 1, 2, 3, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
BIN, PY = "cifar-10-batches-bin", "cifar-10-batches-py"
BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
PIXELS = np.arange(SIZE, dtype=np.uint8).reshape(1, SIZE)
CANARY = "canary"  # a file outside of the data set's folder, which nobody may touch


def mangle(content, rng, times=None):
    """Return bytes with a few changes that need no knowledge of them."""
    content = bytearray(content)
    for _ in range(times or rng.choice((1, 1, 1, 2, 4, 16))):
        place = rng.randrange(len(content) + 1) if rng.random() < 0.5 else min(len(content), rng.randrange(64))
        end = min(len(content), place + rng.choice((1, 1, 2, 4, 8, 64, 1000)))
        kind = rng.randrange(8)
        if kind == 0 and place < len(content):
            content[place] ^= 1 << rng.randrange(8)
        elif kind == 1 and place < len(content):
            content[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            number = rng.choice(INTEGERS) % 2**32
            content[place : place + 4] = number.to_bytes(4, rng.choice(("little", "big")))
        elif kind == 3:
            del content[place:end]
        elif kind == 4:
            content[place:place] = rng.randbytes(rng.choice((1, 2, 4, 30)))
        elif kind == 5:
            content[place:place] = content[place:end]
        elif kind == 6:
            del content[place:]
        else:
            content += rng.choice((b"\0", bytes(512), rng.randbytes(10), bytes(content[place:end])))
    return bytes(content)


def maybe_mangled(content, rng, chance=0.3):
    return mangle(content, rng) if rng.random() < chance else content


# -- IDX


def idx(rng):
    """Return a folder of MNIST's four files, one of them, or a file of any type and shape, with something wrong."""
    images = idx_bytes(np.arange(3 * 16, dtype=np.uint8).reshape(3, 4, 4))
    labels = idx_bytes(np.arange(3, dtype=np.uint8))
    files = {f"mnist/{part}-{kind}": content for part in ("train", "t10k") for kind, content in
             (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels))}  # fmt: skip
    name = rng.choice(list(files))
    content = mangle(files[name], rng) if rng.random() < 0.4 else _any_idx(rng, files[name])
    if rng.random() < 0.5:
        content = _gzipped(content, rng)
        del files[name]
        name += ".gz"
    return files | {name: content}


def _any_idx(rng, honest):
    data = honest[16 if honest[3] == 3 else 8 :]
    dimensions = rng.choice((0, 1, 1, 2, 3, 3, 3, 4, 64, 65, 255))
    head = bytes([0, 0, rng.choice((8, 8, 8, 8, 9, 11, 12, 13, 14, 0, 255)), dimensions])
    sizes = [rng.choice((0, 1, 1, 2, 3, 3, 4, 16, 2**16, 2**31, 2**32 - 1)) for _ in range(dimensions)]
    return head + struct.pack(f">{dimensions}I", *sizes) + maybe_mangled(data, rng)


def _gzipped(content, rng):
    half = len(content) // 2
    packed = rng.choice((
        lambda: gzip.compress(content, 1),
        lambda: gzip.compress(content[:half], 1) + gzip.compress(content[half:], 0),  # two members
        lambda: gzip.compress(content, 1) + bytes(rng.choice((1, 8, 3000))),  # padded
        lambda: gzip.compress(content + bytes(10**5), 1),
        lambda: gzip.compress(b"") + gzip.compress(content, 1) + gzip.compress(b""),
        lambda: zlib.compress(content),
    ))()  # fmt: skip
    return maybe_mangled(packed, rng)


# -- npz

DTYPES = (
    "'<f4'", "'<f8'", "'>f2'", "'|u1'", "'<i8'", "'|b1'", "'<f16'", "'|O'", "'<U5'", "'|S0'", "'|V8'", "'<c8'", "'<M8[s]'",
    "'|S2147483647'", "'<U536870911'", "[('a', '<f4')]", "[('a', '|O')]", "('<f4', (2, 3))", "('<f4', (2**31,))", "'f4,f4'",
    "'nonsense'", "''", "None", "7", "[]", "[[]]", "'\\x1b[31m'", "'<f4' '<f4'", "b'<f4'", "{'names': ['a']}", "'>i4'", "'a9'",
)  # fmt: skip
SHAPES = (
    "(3, 4)", "(3,)", "(6, 2)", "()", "(0, 4)", "(3, 0)", "(-1, 4)", "(-3, -4)", "(True, 12)", "(3.0, 4)",
    "(2147483648, 2147483648)",
    "(0, 4611686018427387904, 4611686018427387904)", "(12,) * 9", "[3, 4]", "3", "None", f"({'1, ' * 65})", f"({'0, ' * 65})",
    "(3, 4", "((3,), 4)", f"(0x{'f' * 9000}, 4)", f"({'9' * 5000}, 4)", "(18446744073709551616, 1)", "(3, 4, 1, 1)", "(1, 12)",
)  # fmt: skip
HEADERS = (
    "", "{}", "{" * 500, "(" * 3000, "[" * 9000, "-" * 9000 + "1", "{'descr': '<f4'}", "1 if 1 else 2", "__import__('os')", "\0",
    "{'descr': '<f4', 'fortran_order': 0, 'shape': (3, 4)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), 'x': 1}", "'" * 3, "\\", "{**{}}", "f'{1}'", "{1: 2}[1]()",
)  # fmt: skip


def npz(rng):
    """Return an .npz file with something wrong in an array's header, in a member's entry, or anywhere."""
    keys = rng.choice((("x", "y"), ("x_train", "y_train"), ("x_train", "y_train", "x_test", "y_test"), ("x", "x", "y")))
    strange = rng.randrange(-1, len(keys))
    stream = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) * 20 + (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")  # names that come twice
        for number, key in enumerate(keys):
            content = _npy(key, rng, number == strange)
            if rng.random() < 0.05:
                key = rng.choice(("../x", "/x", "x\x1b[31m", "\u202ex", "x/", "x.npy.npy", "y" * 3000, ""))
            info = zipfile.ZipInfo(key + rng.choice((".npy", ".npy", ".npy", "")))
            info.compress_type = method
            archive.writestr(info, content)
    content = stream.getvalue()
    kind = rng.random()
    if kind < 0.3:
        content = _changed_entry(content, rng)
    elif kind < 0.5:
        content = mangle(content, rng)
    return {"mine.npz": content}


def _npy(key, rng, strange):
    values = np.arange(12).reshape(3, 4) if key.startswith("x") else np.arange(3)
    values = values.astype(rng.choice(("<f4", "<f8", "u1", "<i4", ">i8", "<f2")))
    fortran = rng.random() < 0.2
    data = values.tobytes("F" if fortran else "C")
    if strange and rng.random() < 0.2:
        data = rng.choice((b"", data[:-1], data + b"\0", data * 3, rng.randbytes(len(data)), b"\xff" * len(data)))
    header = repr({"descr": values.dtype.str, "fortran_order": fortran, "shape": values.shape})
    if strange and rng.random() < 0.6:
        parts = [repr(values.dtype.str), rng.choice(("True", "False", "1", "None")), repr(values.shape)]
        for place, choices in ((0, DTYPES), (2, SHAPES)):
            if rng.random() < 0.6:
                parts[place] = rng.choice(choices)
        header = "{{'descr': {}, 'fortran_order': {}, 'shape': {}}}".format(*parts)
    elif strange and rng.random() < 0.4:
        header = rng.choice(HEADERS)
    version = rng.choice(((1, 0), (1, 0), (2, 0), (3, 0), (0, 9))) if strange else (1, 0)
    encoded = f"{header:<64}\n".encode("latin1")
    length = rng.choice(INTEGERS) if strange and rng.random() < 0.1 else len(encoded)
    size = struct.pack("<H", length % 2**16) if version == (1, 0) else struct.pack("<I", length % 2**32)
    npy = b"\x93NUMPY" + bytes(version) + size + encoded + data
    return maybe_mangled(npy, rng, 0.2) if strange else npy


def _changed_entry(content, rng):
    """Put another number into a field of the table of contents, of a local header, or of the table's own entry."""
    content = bytearray(content)
    signature, fields = rng.choice((
        (b"PK\1\2", ((6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4))),
        (b"PK\3\4", ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
        (b"PK\5\6", ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))),
    ))  # fmt: skip
    places = [place for place in range(len(content)) if content.startswith(signature, place)]
    for _ in range(rng.choice((1, 1, 2, 4))):
        start, size = rng.choice(fields)
        place = rng.choice(places) + start
        old = int.from_bytes(content[place : place + size], "little")
        number = rng.choice((rng.choice(INTEGERS), old + 1, old - 1, old ^ 1, old ^ 8, old * 2, rng.randrange(100)))
        content[place : place + size] = (number % 256**size).to_bytes(size, "little")
    return bytes(content)


# -- sparse matrices in .npz files

NUMBERS = (0, 1, 2, 3, 5, -1, 127, 255, 2**31 - 1, 2**31, 2**40, 2**63 - 1, 1.5, np.nan, np.inf, 1e300)


def sparse(rng):
    """Return an .npz file of a CSR matrix and labels, with something wrong in a part of it, or anywhere."""
    rows, width = rng.choice((1, 2, 4, 9)), rng.choice((1, 3, 7, 10**7))
    columns = [sorted(rng.sample(range(width), rng.randrange(min(width, 5) + 1))) for _ in range(rows)]
    starts = np.cumsum([0, *map(len, columns)])
    parts = {
        "data": np.arange(starts[-1]).astype(rng.choice(("<f4", "<f8", "u1", ">i8", "<f2", "?"))),
        "indices": np.array(list(itertools.chain(*columns))).astype(rng.choice(("<i4", "<i8", ">i4"))),
        "indptr": starts.astype(rng.choice(("<i4", "<i8", "<u8"))),
        "shape": np.array([rows, width]),
        "format": np.array(rng.choice((b"csr", "csr"))),
    }
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        name = rng.choice(list(parts))
        parts[name] = _changed_part(parts[name], rng)
        if rng.random() < 0.1:
            del parts[name]
        if not parts:
            break
    if rng.random() < 0.3:
        parts |= {f"x_test.{name}": part for name, part in parts.items()} | {"y_test": np.arange(rows)}
        parts = {name if "test" in name else f"x_train.{name}": part for name, part in parts.items()}
    stream, labels = io.BytesIO(), "y_train" if "y_test" in parts else "y"
    rng.choice((np.savez, np.savez_compressed))(stream, **parts, **{labels: np.arange(rows) % 3})
    return {"mine.npz": maybe_mangled(stream.getvalue(), rng, 0.15)}


def _changed_part(part, rng):
    if not part.size or part.dtype.kind not in "buif":
        return rng.choice(
            (np.array(b"csc"), np.array("\x1b[31m"), np.zeros(0), np.zeros((0, 3), "<i4"), np.array([b"csr"] * 3))
        )
    flat, kind = part.reshape(-1).tolist(), rng.randrange(6)
    place = rng.randrange(len(flat))
    if kind < 3:
        flat[place] = rng.choice(NUMBERS)
    elif kind == 3:
        del flat[place]
    elif kind == 4:
        flat[place:place] = flat[: rng.choice((1, 2))]
    else:
        rng.shuffle(flat)
    kind = rng.choice((None, None, "<f8", "<u8", "<i8"))
    try:
        changed = np.array(flat, kind, ndmin=1)
    except (OverflowError, ValueError):  # of numbers that the kind does not have
        changed = np.array(flat, "<f8", ndmin=1)
    return changed.reshape(rng.choice(((-1,), (-1,), (-1,), (1, -1), (-1, 1)))) if flat else changed


# -- CIFAR


def tar(rng):
    """Return an archive of the binary version with members that lie, lead elsewhere, or are damaged."""
    records = {f"{name}.bin": bytes([number]) + PIXELS.tobytes() for number, name in enumerate(BATCHES)}
    if rng.random() < 0.2:
        return {"cifar10/cifar-10-binary.tar.gz": mangle(tar_gz(BIN, records), rng)}
    content = b"".join(_member(name, record, rng) for name, record in records.items())
    content += rng.choice((bytes(1024), bytes(1024), bytes(10240), b"", bytes(512), rng.randbytes(512)))
    return {
        "cifar10/cifar-10-binary.tar.gz": _gzipped(content, rng) if rng.random() < 0.7 else maybe_mangled(content, rng)
    }


def _member(name, content, rng):
    member = tarfile.TarInfo(f"{BIN}/{name}")
    member.size = len(content)
    if rng.random() < 0.7:
        return member.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
    if rng.random() < 0.4:
        member.name = rng.choice(
            (f"../../{CANARY}", f"/{name}", f"../../../{name}", name, "x" * 300, f"a/{name}/", "\udcff", ".")
        )
    if rng.random() < 0.5:
        member.type = rng.choice((*map(bytes, zip(b"01234567LKxgSDMNV\0Z", strict=False)), b"\xff"))
        member.linkname = rng.choice(("", f"../../{CANARY}", "/dev/zero", name))
    if rng.random() < 0.4:
        member.size = rng.choice((0, 1, 511, 512, 3072, 3074, 6146, 2**20, 2**33, 2**40))
    if rng.random() < 0.2:
        member.pax_headers = {
            rng.choice(("path", "size", "GNU.sparse.size", "mtime")): rng.choice((f"../{CANARY}", "9" * 30, "-1"))
        }
    header = member.tobuf(rng.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)), errors="surrogateescape")
    if rng.random() < 0.2:
        header = bytearray(header)
        header[124:136] = rng.choice(
            (b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\x80" + bytes(11), b"-0000000001\0", b"zzzzzzzzzzz\0")
        )
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(maybe_mangled(bytes(header), rng, 0.1)) + content + bytes(-len(content) % 512)


def records(rng):
    """Return an unpacked binary version, of CIFAR-10 or CIFAR-100, with one file that is wrong."""
    if rng.random() < 0.5:
        files = {f"cifar10/{BIN}/{name}.bin": bytes([number]) + PIXELS.tobytes() for number, name in enumerate(BATCHES)}
    else:
        files = {f"cifar100/cifar-100-binary/{name}.bin": bytes(2) + PIXELS.tobytes() for name in ("train", "test")}
    name = rng.choice(list(files))
    return files | {name: mangle(files[name], rng)}


def pickles(rng):
    """Return an unpacked Python version with one file that is another program."""
    protocol = rng.choice((0, 1, 2, 2, 2, 2, 3, 4, 5))
    values = {b"data": PIXELS, b"labels": [3], b"filenames": [b"a.png"]}
    honest = like_python_2(values) if protocol == 2 else pickle.dumps(values, protocol=protocol)
    files = {f"cifar10/{PY}/{name}": like_python_2(values) for name in BATCHES}
    strange = mangle(honest, rng) if rng.random() < 0.3 else changed_program(honest, rng)
    return files | {f"cifar10/{PY}/{rng.choice(BATCHES)}": strange}


CHUNKS = (
    b"cos\nsystem\n(S'touch here'\ntR", b"cbuiltins\neval\n(S'1'\ntR", b"\x8c\x02os\x8c\x06system\x93", b"(S'true'\nios\nsystem\n",
    b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"c_codecs\nencode\n", b"c\x1b[31m\nx\n",
    b"R", b"b", b"0", b"1", b"2", b"(", b")", b"]", b"}", b"a", b"e", b"s", b"u", b"t", b"l", b"d", b"o", b"\x81", b"\x92", b"\x85",
    b"\x86", b"\x87", b"\x88", b"N", b"K\x01", b"M\xff\xff", b"J\xff\xff\xff\xff", b"I1\n",
    b"I" + b"9" * 5000 + b"\n", b"Q", b"P1\n",
    b"L1L\n", b"F1e999\n", b"G" + b"\xff" * 8, b"S'a'\n", b"S'\\xff'\n", b"S''\n", b"V\\U0001f600\n", b"V\\u\n", b"U\x01a",
    b"C\x01a", b"X\x01\0\0\0a", b"X\x04\0\0\0\xf0\x9f\x98\x80", b"\x8c\x01\xff", b"T\xff\xff\xff\xff", b"T\xff\xff\xff\x7f",
    b"B\xff\xff\xff\xff", b"\x8e" + b"\xff" * 8, b"\x8d" + b"\xff" * 7 + b"\x7f", b"\x96" + b"\xff" * 8,
    b"\x8a\xff", b"\x8b\xff\xff\xff\x7f", b"\x94",
    b"q\0", b"h\0", b"r\xff\xff\xff\xff", b"j\xff\xff\xff\xff", b"p999999999999\n", b"g0\n", b"p-1\n", b"\x8f", b"\x90", b"\x91",
    b"\x95" + b"\xff" * 8, b"\x80\xff", b"\x97", b"\x98", b"\x82\x01", b"(K\x01K\x02\x86cnumpy\ndtype\n",
    b"".join([b"}q\1)q\0", b"h\0h\0\x86q\0" * 40, b"h\1h\0K\1s"]),  # a key whose hash takes 2^40 steps
    b"".join([b"]q\0", b"]q\1(h\0h\0eq\0" * 40]),  # a list of 2^40 elements
)  # fmt: skip


def changed_program(content, rng):
    """Return a pickle with a few of its operations changed."""
    places = [place for _, _, place in pickletools.genops(content)] + [len(content)]
    chunks = [content[first:last] for first, last in itertools.pairwise(places)]
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        place = rng.randrange(len(chunks))
        kind = rng.randrange(5)
        if kind == 0 and len(chunks) > 1:
            del chunks[place]
        elif kind == 1:
            chunks.insert(place, rng.choice(chunks))
        elif kind == 2:
            chunks[place] = maybe_mangled(rng.choice(CHUNKS), rng)
        else:
            chunks.insert(place, rng.choice(CHUNKS) * rng.choice((1, 1, 1, 3)))
    return b"".join(chunks)


# -- CSV

CELLS = (
    "1",
    "-2.5",
    "1e3",
    "",
    " ",
    "nan",
    "inf",
    "1e400",
    "red",
    '"1"',
    '"a ""b"""',
    '"1\n2"',
    "\x1b[31m",
    "é",
    "1_000",
    "0x10",
    "9" * 5000,
)


def table(rng):
    """Return a CSV file with something wrong in a cell, a line or its bytes."""
    columns = rng.choice((0, 1, 2, 3, 3, 5))
    names = [
        rng.choice(("a", "b", "width", "1", "", "\x1b[31m", "a" * 3000)) if rng.random() < 0.2 else f"c{i}"
        for i in range(columns)
    ]
    rows = [[str(rng.randrange(9)) for _ in names] for _ in range(rng.choice((0, 1, 6, 6, 20)))]
    for row in rows:
        if rng.random() < 0.05:
            row[rng.randrange(len(row) + 1) :] = [rng.choice(CELLS)]
    ends, between = rng.choice(("\n", "\n", "\r\n", "\r")), rng.choice((",", ",", ";", "\t"))
    text = ends.join(between.join(cells) for cells in (names, *rows))
    content = maybe_mangled(text.encode(rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16"))), rng)
    return {"mine.csv.gz": _gzipped(content, rng)} if rng.random() < 0.2 else {"mine.csv": content}
