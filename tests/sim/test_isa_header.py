from vta_pynq.sim.isa_header import HEADER_PATH, header_text


def test_isa_header_in_the_tree_is_what_the_table_gives() -> None:
    assert HEADER_PATH.read_text(encoding="utf-8") == header_text()
