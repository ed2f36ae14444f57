"""HPACK, by the examples of RFC 7541 (appendix C) and by what can go wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.pod.probes import hpack
from minirun.pod.probes.hpack import Decoder, Malformed

EXAMPLE = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")]
#: C.3 without and C.4 with Huffman's code: three requests of one connection.
REQUESTS = [
    (
        "828684410f7777772e6578616d706c652e636f6d",
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        EXAMPLE,
    ),
    (
        "828684be58086e6f2d6361636865",
        "828684be5886a8eb10649cbf",
        [*EXAMPLE, ("cache-control", "no-cache")],
    ),
    (
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/index.html"),
            (":authority", "www.example.com"),
            ("custom-key", "custom-value"),
        ],
    ),
]
#: C.6: responses, with a table of 256 bytes, which the first line asks for.
SMALL_TABLE = "3fe101"
COMMON = [
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ("location", "https://www.example.com"),
]
RESPONSES = [
    (
        (
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff"
            "6e919d29ad171863c78f0b97c8e9ae82ae43d3"
        ),
        [(":status", "302"), *COMMON],
    ),
    ("4883640effc1c0bf", [(":status", "307"), *COMMON]),
]

TEXT = st.text(st.characters(max_codepoint=127), max_size=300)


@pytest.mark.parametrize("form", [0, 1], ids=["plain", "huffman"])
def test_requests_of_one_connection(form: int) -> None:
    decoder = Decoder()
    for request in REQUESTS:
        assert decoder.decode(bytes.fromhex(str(request[form]))) == request[2]


def test_responses_that_push_each_other_out_of_the_table() -> None:
    decoder = Decoder()
    assert decoder.decode(bytes.fromhex(SMALL_TABLE)) == []
    for block, headers in RESPONSES:
        assert decoder.decode(bytes.fromhex(block)) == headers
    with pytest.raises(Malformed, match="no header of number 66"):
        decoder.decode(bytes([0x80 | 66]))  # the fifth of the table: there is room for four


def test_the_static_table() -> None:
    """Its ends, and one in the middle."""
    assert Decoder().decode(bytes([0x81, 0x88, 0x80 | 61])) == [
        (":authority", ""),
        (":status", "200"),
        ("www-authenticate", ""),
    ]


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_what_is_written_can_be_read(headers: list[tuple[str, str]]) -> None:
    assert Decoder().decode(hpack.encode(headers)) == headers


@given(st.binary(max_size=200))
def test_nonsense_is_malformed_and_nothing_else(block: bytes) -> None:
    try:
        Decoder().decode(block)
    except Malformed:
        pass


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("80", "no header of number 0"),
        ("be", "no header of number 62"),
        ("3fe2ff03", "a table of"),
        ("ff" + "ff" * 8, "a number is too large"),
        ("00", "break off"),
        ("0005616263", "longer than its block"),
        ("0081" + "ff" + "00", "middle of a letter"),  # eight ones: more than padding may be
        ("0084" + "ffffffff" + "00", "its end inside"),
    ],
)
def test_it_says_what_is_wrong(block: str, complaint: str) -> None:
    with pytest.raises(Malformed, match=complaint):
        Decoder().decode(bytes.fromhex(block))


def test_a_few_bytes_may_not_stand_for_many() -> None:
    decoder = Decoder()
    decoder.decode(
        b"\x40" + b"\x01a" + b"\x7f\x81\x1f" + b"v" * 4096
    )  # too large for the table: it empties it
    value = b"v" * 4000
    decoder.decode(b"\x40" + b"\x01a" + b"\x7f\xa1\x1e" + value)
    with pytest.raises(Malformed, match="too long"):
        decoder.decode(b"\xbe" * 100)
