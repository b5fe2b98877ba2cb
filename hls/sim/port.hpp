// AXI masters of the simulation: requests into DRAM segments, every rule checked.
//
// A read request is a burst: the design cuts them itself, so that it knows what the adapter must
// have room for. A write request is a row, which the adapter cuts. Faults: an access outside DRAM,
// a read over a 4 KiB boundary or longer than the design promises, a beat that was not requested, a
// write to read-only memory, beats or responses left over at the end of a run.
#ifndef VTA_SIM_PORT_HPP
#define VTA_SIM_PORT_HPP

#include <ap_int.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>

#include "../src/config.hpp"
#include "fault.hpp"

namespace vta {
namespace sim {

struct Segment {
    std::uint64_t phys, size;
    std::uint8_t* data;
    std::int32_t writable;
};

struct Dram {
    const Segment* segments = nullptr;
    int count = 0;

    const Segment* find(std::uint64_t phys, std::uint64_t size) const {
        for (int i = 0; i < count; i++) {
            const Segment& s = segments[i];
            if (phys >= s.phys && phys + size <= s.phys + s.size) return &s;
        }
        return nullptr;
    }
};

struct Burst {
    std::uint8_t* at;
    std::uint64_t beats;
    bool last;  // of its request
};

// What lies behind the copies of a port.
struct Master {
    const Dram* dram;
    const char* name;
    const unsigned beat_bytes;
    std::deque<Burst> reads, writes;
    int responses = 0;  // of completed write requests, not taken

    Master(const Dram* memory, const char* title, unsigned bytes)
        : dram(memory), name(title), beat_bytes(bytes) {}
    // A base pointer on its way to the design.
    std::uint32_t base(std::uint64_t pointer) const {
        if (pointer % beat_bytes != 0) {
            fail("base pointer must be a multiple of the port's width", CSIM_ACCESS);
        }
        return static_cast<std::uint32_t>(pointer);
    }
    void clear() {
        reads.clear();
        writes.clear();
        responses = 0;
    }
    bool idle() const { return reads.empty() && writes.empty() && responses == 0; }

    [[noreturn]] void fail(const std::string& what, int code = CSIM_INTERNAL) const {
        throw Fault(code, std::string(name) + ": " + what);
    }
    Burst open(std::uint64_t beat, std::uint64_t beats, bool writing) const {
        const std::uint64_t phys = beat * beat_bytes, size = beats * beat_bytes;
        char where[96];
        std::snprintf(where, sizeof where, " of %llu bytes at 0x%llx",
                      static_cast<unsigned long long>(size), static_cast<unsigned long long>(phys));
        if (beats == 0 || beats > static_cast<std::uint64_t>(BuildConfig::burst_beats)) {
            fail(std::string("burst has an illegal length:") + where);
        }
        if (phys / 4096 != (phys + size - 1) / 4096) {
            fail(std::string("burst must not cross a 4 KiB boundary:") + where);
        }
        const Segment* segment = dram->find(phys, size);
        if (segment == nullptr) {
            fail(std::string("access must lie in DRAM, not") + where, CSIM_ACCESS);
        }
        if (writing && !segment->writable) {
            fail(std::string("access must be to writable memory, not") + where, CSIM_READ_ONLY);
        }
        return Burst{segment->data + (phys - segment->phys), beats, true};
    }
    // What the adapter makes of a write request: bursts up to the next page or the greatest length.
    void open_row(std::uint64_t beat, std::uint64_t beats) {
        if (beats == 0) fail("request has no beats");
        const std::uint64_t most = BuildConfig::burst_beats, page = 4096 / beat_bytes;
        while (beats != 0) {
            const std::uint64_t room = page - beat % page;
            const std::uint64_t count = std::min(beats, std::min(most, room));
            writes.push_back(open(beat, count, true));
            writes.back().last = count == beats;
            beat += count;
            beats -= count;
        }
    }
};

template <class T>
class Port {
 public:
    static constexpr int beat_bytes = T::width / 8;
    explicit Port(Master& master) : master_(&master) {}

    template <class Count>
    void read_request(const Count& beat, const Count& beats) {
        master_->reads.push_back(master_->open(beat.to_uint64(), beats.to_uint64(), false));
    }
    template <class Count>
    void write_request(const Count& beat, const Count& beats) {
        master_->open_row(beat.to_uint64(), beats.to_uint64());
    }
    T read() {
        const std::uint8_t* at = next(master_->reads, "read");
        T word = 0;
        for (int i = beat_bytes - 1; i >= 0; i -= chunk) {
            word = (word << (8 * chunk < T::width ? 8 * chunk : 0)) | T(get(at + i - (chunk - 1)));
        }
        return word;
    }
    void write(T word) {
        std::uint8_t* at = next(master_->writes, "write");
        for (int i = 0; i < beat_bytes; i += chunk) {
            const std::uint64_t part = word.to_uint64();
            std::memcpy(at + i, &part, chunk);
            word = word >> (8 * chunk < T::width ? 8 * chunk : 0);
        }
    }
    void write_response() {
        if (master_->responses == 0) master_->fail("response to a burst that is not complete");
        master_->responses--;
    }

 private:
    static constexpr int chunk = beat_bytes < 8 ? beat_bytes : 8;

    static std::uint64_t get(const std::uint8_t* at) {
        std::uint64_t part = 0;
        std::memcpy(&part, at, chunk);
        return part;
    }
    std::uint8_t* next(std::deque<Burst>& bursts, const char* what) {
        if (bursts.empty()) master_->fail(std::string(what) + " of a beat that was not requested");
        Burst& burst = bursts.front();
        std::uint8_t* at = burst.at;
        burst.at += beat_bytes;
        if (--burst.beats == 0) {
            if (&bursts == &master_->writes && burst.last) master_->responses++;
            bursts.pop_front();
        }
        return at;
    }
    Master* master_;
};

}  // namespace sim
}  // namespace vta

#endif  // VTA_SIM_PORT_HPP
