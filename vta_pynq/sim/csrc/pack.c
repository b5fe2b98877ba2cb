/* Values narrower or wider than a byte, to and from DRAM bytes. */
#include "engine.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the engine reads DRAM with the machine's byte order, which must be little-endian"
#endif

static inline uint32_t narrow_bits(const uint8_t* from, uint64_t index, uint32_t width) {
    uint64_t bit = index * width;
    return (uint32_t)from[bit >> 3] >> (bit & 7);
}

void unpack_values8(int8_t* to, const uint8_t* from, uint64_t count, uint32_t width) {
    if (width == 8) {
        memcpy(to, from, count);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        to[i] = (int8_t)sign_extend(narrow_bits(from, i, width), width);
    }
}

void unpack_values32(int32_t* to, const uint8_t* from, uint64_t count, uint32_t width) {
    if (width == 32) {
        memcpy(to, from, count * sizeof *to);
    } else if (width == 16) {
        for (uint64_t i = 0; i < count; i++) {
            int16_t value;
            memcpy(&value, from + 2 * i, sizeof value);
            to[i] = value;
        }
    } else if (width == 8) {
        const int8_t* values = (const int8_t*)from;
        for (uint64_t i = 0; i < count; i++) to[i] = values[i];
    } else {
        for (uint64_t i = 0; i < count; i++) {
            to[i] = sign_extend(narrow_bits(from, i, width), width);
        }
    }
}

void pack_values(uint8_t* to, const int32_t* from, uint64_t count, uint32_t width) {
    if (width == 8) {
        for (uint64_t i = 0; i < count; i++) to[i] = (uint8_t)from[i];
    } else if (width == 32) {
        memcpy(to, from, count * sizeof *from);
    } else if (width == 16) {
        for (uint64_t i = 0; i < count; i++) {
            uint16_t value = (uint16_t)from[i];
            memcpy(to + 2 * i, &value, sizeof value);
        }
    } else {
        uint32_t per_byte = 8 / width, mask = (1u << width) - 1;
        for (uint64_t i = 0; i < count; i += per_byte) {
            uint32_t byte = 0;
            for (uint32_t j = 0; j < per_byte; j++) {
                byte |= ((uint32_t)from[i + j] & mask) << (j * width);
            }
            to[i / per_byte] = (uint8_t)byte;
        }
    }
}
