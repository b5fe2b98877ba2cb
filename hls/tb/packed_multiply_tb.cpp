// Proof by exhaustion: both products of PackedMultiply for every triple of int8 operands.
#include <cstdio>

#include "../src/packed_multiply.hpp"

int main() {
    typedef vta::PackedMultiply<8, 8> multiplier;
    static_assert(multiplier::fits && multiplier::packed_bits == 25, "the port of a DSP48E1");
    long wrong = 0, triples = 0;
    for (int high = -128; high < 128; high++) {
        for (int low = -128; low < 128; low++) {
            for (int shared = -128; shared < 128; shared++) {
                multiplier::product_t first, second;
                multiplier::multiply(high, low, shared, first, second);
                wrong += first.to_int() != high * shared || second.to_int() != low * shared;
                triples++;
            }
        }
    }
    std::printf("%ld of %ld triples are wrong\n", wrong, triples);
    return wrong != 0;
}
