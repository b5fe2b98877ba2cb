/* Shift amounts that come from the accumulator, where they can be told: elements that LOAD ACC
 * brought from DRAM whose contents are known, and zeros. */
#include "lint.h"

static int32_t value_at(const uint8_t* bytes, uint32_t size) {
    uint32_t value = 0;
    for (uint32_t k = 0; k < size; k++) {
        value |= (uint32_t)bytes[k] << (8 * k);
    }
    uint32_t sign = (uint32_t)1 << (8 * size - 1);
    return (int32_t)((int64_t)(value ^ sign) - (int64_t)sign);
}

void shifts_check(lint_run* run, uint32_t i, const bitset* sources) {
    const lint_facts* facts = run->facts;
    const uint32_t element_bytes = facts->elem_bytes[MEM_ACC];
    const uint32_t size = facts->acc_bytes_per_value;
    int64_t unknown = -1;
    FOR_EACH(sources, {
        bool zero = true;
        uint64_t source = run->acc_source[e];
        const uint8_t* bytes = NULL;
        /* This instruction may change the amount before it is used. */
        bool stable = run->acc_writer[e] != LINT_BY_NONE && !bit_get(&run->dst_set, e);
        if (stable && source == SOURCE_ZERO) {
            continue;
        }
        if (stable && source < SOURCE_ZERO && !dram_is_stored(run, source, element_bytes)) {
            bytes = dram_bytes(run, source, element_bytes, &zero);
        }
        if (!bytes) {
            unknown = unknown < 0 ? e : unknown;
            continue;
        }
        if (!spend(run, element_bytes)) {
            return;
        }
        for (uint32_t at = 0; !zero && at < element_bytes; at += size) {
            int32_t amount = value_at(bytes + at, size);
            if (amount < facts->shift_reg_low || amount > facts->shift_reg_high) {
                report(run, LINT_SHIFT_REG, i, amount, e, 0, 0);
                return;
            }
        }
    })
    if (unknown >= 0) {
        report(run, LINT_SHIFT_UNKNOWN, i, unknown, 0, 0, 0);
    }
}
