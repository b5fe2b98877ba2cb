"""The most tokens that each counter holds when one module runs ahead as far as it can."""

from __future__ import annotations

from collections.abc import Sequence

from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import TOKENS, Module, module_of
from vta_pynq.stream import InstructionStream


def peak_tokens(stream: InstructionStream, order: Sequence[Module]) -> dict[str, int]:
    """Run each module of `order` until it blocks, then the next; peaks by counter name."""
    insns = decode(stream.words, stream.config)
    queues = {
        m: [i for i in insns if module_of(i["opcode"], i["memory_type"]) == m] for m in set(order)
    }
    count = dict.fromkeys((t.name for t in TOKENS), 0)
    peak = dict(count)
    moved = True
    while moved:
        moved = False
        for module in order:
            while queues[module]:
                insn = queues[module][0]
                pops = [t.name for t in TOKENS if t.consumer == module and insn[t.pop_flag]]
                if any(not count[name] for name in pops):
                    break
                queues[module].pop(0)
                moved = True
                for name in pops:
                    count[name] -= 1
                for t in TOKENS:
                    count[t.name] += int(t.producer == module and insn[t.push_flag])
                    peak[t.name] = max(peak[t.name], count[t.name])
    assert not any(queues.values()), "deadlock"
    return peak
