/* What one instruction's fields say by themselves. */
#include "lint.h"

static void check_flags(lint_run* run, uint32_t i) {
    const lint_insn* insn = &run->insns[i];
    const lint_facts* facts = run->facts;
    int m = run->module[i];
    const uint8_t set[4] = {insn->pop_prev, insn->pop_next, insn->push_prev, insn->push_next};
    for (int flag = 0; flag < 4; flag++) {
        int token = flag < 2 ? facts->pops[m][flag] : facts->pushes[m][flag - 2];
        if (set[flag] && token < 0) {
            report(run, LINT_TOKEN_PARTNER, i, flag, 0, 0, 0);
        }
    }
}

static void check_load(lint_run* run, uint32_t i) {
    const lint_insn* insn = &run->insns[i];
    const lint_facts* facts = run->facts;
    if (!is_load_known(run, insn->memory_type)) {
        if (insn->x_size || facts->unknown_hangs) {
            report(run, LINT_LOAD_TYPE, i, insn->memory_type, 0, 0, 0);
        }
        return;
    }
    bool acc = insn->memory_type == MEM_ACC || insn->memory_type == MEM_ACC_8BIT;
    bool x_pads = insn->x_pad_0 || insn->x_pad_1;
    bool y_pads = insn->y_pad_0 || insn->y_pad_1;
    if (!insn->x_size) {
        if ((x_pads && (insn->y_size || y_pads)) && (acc || insn->memory_type == MEM_INP)) {
            report(run, LINT_PAD_EMPTY, i, 0, 0, 0, 0);
        }
        return;
    }
    if (acc && facts->batch_exceeded) {
        report(run, LINT_BATCH, i, 0, 0, 0, 0);
    }
    bool first_row_only = insn->memory_type == MEM_UOP && !facts->loads_uop_rows;
    if (!insn->y_size && !first_row_only) {
        report(run, LINT_ROWS_ZERO, i, insn->x_size, 0, 0, 0);
    }
    if (insn->memory_type == MEM_WGT && (x_pads || y_pads) && !facts->pads_weights) {
        report(run, LINT_PAD_WGT, i, 0, 0, 0, 0);
    }
    if (first_row_only) {
        if (x_pads || y_pads) {
            report(run, LINT_PAD_UOP, i, 0, 0, 0, 0);
        }
        if (insn->y_size != 1) {
            report(run, LINT_UOP_ROWS, i, insn->y_size, 0, 0, 0);
        }
    }
}

static void check_store(lint_run* run, uint32_t i) {
    const lint_insn* insn = &run->insns[i];
    if (!insn->x_size) {
        return;
    }
    if (insn->memory_type != MEM_OUT) {
        report(run, LINT_STORE_TYPE, i, insn->memory_type, 0, 0, 0);
    }
    if (!insn->y_size) {
        report(run, LINT_ROWS_ZERO, i, insn->x_size, 0, 0, 0);
    }
    if (insn->x_pad_0 || insn->x_pad_1 || insn->y_pad_0 || insn->y_pad_1) {
        report(run, LINT_PAD_STORE, i, 0, 0, 0, 0);
    }
}

static void check_loops(lint_run* run, uint32_t i) {
    const lint_insn* insn = &run->insns[i];
    const bool empty[3] = {!insn->iter_out, !insn->iter_in, insn->uop_bgn >= insn->uop_end};
    for (int loop = 0; loop < 3; loop++) {
        if (empty[loop]) {
            report(run, LINT_LOOP_EMPTY, i, loop, 0, 0, 0);
            break;
        }
    }
    if (insn->uop_bgn < insn->uop_end && insn->uop_end > run->facts->depth[MEM_UOP]) {
        report(run, LINT_UOP_RANGE, i, insn->uop_end, run->facts->depth[MEM_UOP], 0, 0);
    }
}

static void check_batch(lint_run* run, uint32_t i) {
    if (run->facts->batch_exceeded) {
        report(run, LINT_BATCH, i, 0, 0, 0, 0);
    }
}

static void check_alu(lint_run* run, uint32_t i) {
    const lint_insn* insn = &run->insns[i];
    const lint_facts* facts = run->facts;
    if (insn->alu_opcode > ALU_MUL || (insn->alu_opcode == ALU_MUL && !facts->mul_known)) {
        report(run, LINT_ALU_OPCODE, i, insn->alu_opcode, 0, 0, 0);
    }
    check_batch(run, i);
    if (insn->alu_opcode == ALU_SHR && insn->use_imm &&
        (insn->imm < facts->shift_imm_low || insn->imm > facts->shift_imm_high)) {
        report(run, LINT_SHIFT_IMM, i, insn->imm, 0, 0, 0);
    }
}

static void check_requant(lint_run* run, uint32_t i) {
    if (!run->facts->requant_known) {
        report(run, LINT_OPCODE, i, OP_REQUANT, 0, 0, 0);
        return;
    }
    check_loops(run, i);
    check_batch(run, i);
}

void fields_check(lint_run* run, uint32_t i) {
    check_flags(run, i);
    switch (run->insns[i].opcode) {
        case OP_LOAD:
            check_load(run, i);
            break;
        case OP_STORE:
            check_store(run, i);
            break;
        case OP_GEMM:
            check_loops(run, i);
            break;
        case OP_ALU:
            check_loops(run, i);
            check_alu(run, i);
            break;
        case OP_REQUANT:
            check_requant(run, i);
            break;
        case OP_FINISH:
            break;
        default:
            report(run, LINT_OPCODE, i, run->insns[i].opcode, 0, 0, 0);
    }
}
