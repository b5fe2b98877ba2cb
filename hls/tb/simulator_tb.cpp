// What the simulation behind `VTA_CSIM` must refuse: each rule of its FIFOs, memory ports and
// dependence checks, broken once.
#include <cstdio>
#include <functional>
#include <string>

#define VTA_CSIM
#include "../src/channel.hpp"
#include "../src/port.hpp"

namespace {

using vta::sim::Dram;
using vta::sim::Master;
using vta::sim::Segment;

typedef ap_uint<64> beat_t;
typedef vta::sim::Port<beat_t> Port;
typedef ap_uint<32> count_t;

struct Memory {
    std::uint8_t bytes[8192] = {};
    Segment segments[2] = {{0x1000, 4096, bytes, 1}, {0x2000, 4096, bytes + 4096, 0}};
    Dram dram;
    Master master{&dram, "port", 8};
    Port port{master};

    Memory() {
        dram.segments = segments;
        dram.count = 2;
    }
};

int missed = 0;

// `act` must throw, with `text` in its message.
void refuse(const char* what, const std::string& text, const std::function<void()>& act) {
    try {
        act();
        std::printf("%s: was not refused\n", what);
    } catch (const std::exception& error) {
        if (std::string(error.what()).find(text) != std::string::npos) return;
        std::printf("%s: refused with '%s'\n", what, error.what());
    }
    missed++;
}

void test_links() {
    refuse("empty link", "read of an empty link", [] { vta::Link<int>().read(); });
    refuse("full link", "entries left in a link", [] { vta::Link<int>().write(1); });
}

void test_reads() {
    refuse("beat", "read of a beat that was not requested", [] { Memory().port.read(); });
    refuse("length", "illegal length: of 136 bytes at 0x1000",
           [] { Memory().port.read_request(count_t(0x1000 / 8), count_t(17)); });
    refuse("nothing", "illegal length",
           [] { Memory().port.read_request(count_t(0x1000 / 8), count_t(0)); });
    refuse("page", "must not cross a 4 KiB boundary",
           [] { Memory().port.read_request(count_t(0x1ff8 / 8), count_t(2)); });
    refuse("address", "access must lie in DRAM, not of 8 bytes at 0x3000",
           [] { Memory().port.read_request(count_t(0x3000 / 8), count_t(1)); });
    refuse("base pointer", "multiple of the port's width", [] { Memory().master.base(0x1004); });
}

void test_writes() {
    refuse("beat", "write of a beat that was not requested", [] { Memory().port.write(1); });
    refuse("response", "response to a burst that is not complete", [] {
        Memory memory;
        memory.port.write_request(count_t(0x1000 / 8), count_t(2));
        memory.port.write(1);
        memory.port.write_response();
    });
    refuse("read-only", "access must be to writable memory",
           [] { Memory().port.write_request(count_t(0x2000 / 8), count_t(1)); });
    // A row is cut at pages, so the part of it that may not be written is found.
    refuse("row", "access must be to writable memory, not of 8 bytes at 0x2000",
           [] { Memory().port.write_request(count_t(0x1ff0 / 8), count_t(3)); });
    refuse("row of nothing", "request has no beats",
           [] { Memory().port.write_request(count_t(0x1000 / 8), count_t(0)); });
}

// A row over several bursts is one response, and then the port is idle.
void test_row() {
    Memory memory;
    memory.port.write_request(count_t(0x1000 / 8), count_t(40));
    for (int i = 0; i < 40; i++) memory.port.write(beat_t(i));
    missed += memory.master.idle();
    memory.port.write_response();
    missed += !memory.master.idle();
    missed += memory.bytes[39 * 8] != 39;
    refuse("second response", "response to a burst", [&] { memory.port.write_response(); });
}

void test_distance() {
    refuse("early read", "element 5 is read 3 turns after it was written", [] {
        vta::sim::DistanceCheck check(4);
        const ap_uint<16> five = 5, other = 6;
        check.turn(other, false, true, five);
        check.turn(five, true, false, other);
        check.turn(other, false, false, other);
        check.turn(five, false, false, other);
    });
    vta::sim::DistanceCheck check(3);
    const ap_uint<16> five = 5, other = 6;
    check.turn(other, false, true, five);
    check.turn(other, false, false, other);
    check.turn(other, false, false, other);
    check.turn(five, false, false, other);
}

}  // namespace

int main() {
    test_links();
    test_reads();
    test_writes();
    test_row();
    test_distance();
    std::printf("%d rules were missed\n", missed);
    return missed != 0;
}
