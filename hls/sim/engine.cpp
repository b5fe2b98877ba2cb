// The four modules as threads behind a C interface.
#include "engine.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>

#define VTA_CSIM
#include "../src/compute.hpp"
#include "../src/fetch.hpp"
#include "../src/load.hpp"
#include "../src/store.hpp"

namespace {

using vta::AccSram;
using vta::Channel;
using vta::InpSram;
using vta::insn_t;
using vta::OutSram;
using vta::Status;
using vta::token_t;
using vta::UopSram;
using vta::WgtSram;
using vta::sim::Master;
using vta::sim::Outcome;
using vta::sim::Scheduler;
using vta::sim::Segment;
using vta::sim::Waitable;

enum ModuleNumber { FETCH, LOAD, COMPUTE, STORE, MODULES };
constexpr auto INSNS = Waitable::Kind::INSNS;
constexpr auto TOKENS = Waitable::Kind::TOKENS;

static_assert(sizeof(csim_segment) == sizeof(Segment), "both describe the same memory");

template <class SramT>
void clear(typename SramT::memory_t memory) {
    for (int i = 0; i < SramT::depth; i++) SramT::write(memory, i, SramT::element_t::zero());
}

}  // namespace

struct csim_engine {
    Scheduler scheduler;
    vta::sim::Dram dram;
    Master insn_master{&dram, "insn_port", vta::insn_beat_t::width / 8},
        inp_master{&dram, "inp_port", vta::load_beat_t::width / 8},
        wgt_master{&dram, "wgt_port", vta::load_beat_t::width / 8},
        uop_master{&dram, "uop_port", vta::uop_beat_t::width / 8},
        acc_master{&dram, "acc_port", vta::acc_beat_t::width / 8},
        out_master{&dram, "out_port", vta::store_beat_t::width / 8};
    Channel<insn_t> load_queue, compute_queue, store_queue;
    Channel<token_t> l2g, g2l, g2s, s2g;
    Status status[MODULES];
    int finishes = 0;
    csim_job job;
    UopSram::memory_t uop;
    InpSram::memory_t inp;
    WgtSram::memory_t wgt;
    AccSram::memory_t acc;
    OutSram::memory_t out;

    csim_engine(std::size_t insns, std::size_t tokens)
        : load_queue(INSNS, "instructions for LOAD", insns),
          compute_queue(INSNS, "instructions for COMPUTE", insns),
          store_queue(INSNS, "instructions for STORE", insns),
          l2g(TOKENS, "token l2g", tokens),
          g2l(TOKENS, "token g2l", tokens),
          g2s(TOKENS, "token g2s", tokens),
          s2g(TOKENS, "token s2g", tokens) {
        clear_sram();
    }

    Channel<token_t>* token(int i) {
        Channel<token_t>* all[] = {&l2g, &g2l, &g2s, &s2g};
        return all[i];
    }
    Master* master(int i) {
        Master* all[] = {&insn_master, &inp_master, &wgt_master,
                         &uop_master,  &acc_master, &out_master};
        return i < 6 ? all[i] : nullptr;
    }
    void clear_sram() {
        clear<UopSram>(uop);
        clear<InpSram>(inp);
        clear<WgtSram>(wgt);
        clear<AccSram>(acc);
        clear<OutSram>(out);
    }
    void soft_reset() {
        load_queue.fill(0, 0);
        compute_queue.fill(0, 0);
        store_queue.fill(0, 0);
        for (int i = 0; i < 4; i++) token(i)->fill(0, 0);
        for (Status& s : status) s = Status();
        for (int i = 0; master(i) != nullptr; i++) master(i)->clear();
    }
    bool ports_idle() {
        for (int i = 0; master(i) != nullptr; i++) {
            if (!master(i)->idle()) return false;
        }
        return true;
    }

    // ---- the modules ----
    void fetch() {
        vta::fetch_program(vta::sim::Port<vta::insn_beat_t>(insn_master),
                           insn_master.base(job.insn_phys), job.insn_count, load_queue,
                           compute_queue, store_queue, status[FETCH]);
    }
    void load() {
        typedef vta::sim::Port<vta::load_beat_t> Port;
        for (;;) {
            vta::load_step(Port(inp_master), inp_master.base(job.base_inp), Port(wgt_master),
                           wgt_master.base(job.base_wgt), load_queue, g2l, l2g, inp, wgt,
                           status[LOAD]);
        }
    }
    void compute() {
        for (;;) {
            finishes += vta::compute_step(
                vta::sim::Port<vta::uop_beat_t>(uop_master), uop_master.base(job.base_uop),
                vta::sim::Port<vta::acc_beat_t>(acc_master), acc_master.base(job.base_acc),
                compute_queue, l2g, g2l, s2g, g2s, uop, inp, wgt, acc, out, status[COMPUTE]);
        }
    }
    void store() {
        for (;;) {
            vta::store_step(vta::sim::Port<vta::store_beat_t>(out_master),
                            out_master.base(job.base_out), store_queue, g2s, s2g, out,
                            status[STORE]);
        }
    }
    void run_module(int module) {
        scheduler.enter(module);
        try {
            switch (module) {
                case FETCH:
                    fetch();
                    break;
                case LOAD:
                    load();
                    break;
                case COMPUTE:
                    compute();
                    break;
                default:
                    store();
            }
            scheduler.leave();
        } catch (const vta::sim::Stopped&) {
        } catch (const vta::sim::Fault& fault) {
            scheduler.fail(fault.what(), fault.code);
        } catch (const std::exception& error) {
            scheduler.fail(error.what(), CSIM_INTERNAL);
        }
    }
    std::string waits() const {
        static const char* const names[] = {"FETCH", "LOAD", "COMPUTE", "STORE"};
        std::string text;
        for (int i = 0; i < MODULES; i++) {
            const Scheduler::Wait& wait = scheduler.waits[i];
            // Who waits for its next instruction holds nobody up.
            const bool idle =
                wait.channel != nullptr && wait.reading && wait.channel->kind == INSNS;
            if (wait.channel == nullptr || idle) continue;
            if (!text.empty()) text += "; ";
            text += std::string(names[i]) + (wait.reading ? " waits for " : " cannot push ") +
                    wait.channel->name;
        }
        return text;
    }
};

extern "C" {

csim_engine* csim_new(uint64_t insn_queue_depth, uint64_t token_queue_depth) {
    return new (std::nothrow) csim_engine(insn_queue_depth, token_queue_depth);
}

void csim_free(csim_engine* engine) { delete engine; }

void csim_run(csim_engine* engine, const csim_segment* segments, int32_t count, const csim_job* job,
              csim_result* result) {
    std::memset(result, 0, sizeof *result);
    engine->dram.segments = reinterpret_cast<const Segment*>(segments);
    engine->dram.count = count;
    engine->job = *job;
    engine->finishes = 0;
    Status before[MODULES];
    std::copy(engine->status, engine->status + MODULES, before);
    for (Status& s : engine->status) s.errors = 0;

    engine->scheduler.begin(job->timeout_s);
    std::thread threads[MODULES];
    for (int i = 0; i < MODULES; i++) {
        threads[i] = std::thread(&csim_engine::run_module, engine, i);
    }
    for (std::thread& thread : threads) thread.join();

    const Scheduler& scheduler = engine->scheduler;
    std::string message = scheduler.fault;
    int fault_code = scheduler.fault_code;
    Outcome outcome = scheduler.outcome;
    if (outcome == Outcome::DEADLOCK) message = engine->waits();
    if (outcome == Outcome::REST && !engine->ports_idle()) {
        outcome = Outcome::FAULT;
        fault_code = CSIM_INTERNAL;
        message = "a burst was left unfinished at the end of the run";
    }
    result->outcome = static_cast<int32_t>(outcome);
    result->fault_module = scheduler.fault_module;
    result->fault_code = fault_code;
    result->finished = engine->finishes;
    for (int i = 0; i < MODULES; i++) {
        Status& after = engine->status[i];
        result->insns[i] = (after.insns - before[i].insns).to_uint();
        result->busy[i] = (after.busy - before[i].busy).to_uint();
        result->raised[i] = after.errors.to_uint();
        after.errors |= before[i].errors;
        result->errors[i] = after.errors.to_uint();
    }
    std::strncpy(result->message, message.c_str(), sizeof result->message - 1);
}

void csim_get_tokens(const csim_engine* engine, uint32_t* counts) {
    for (int i = 0; i < 4; i++) {
        counts[i] = static_cast<uint32_t>(const_cast<csim_engine*>(engine)->token(i)->size());
    }
}

void csim_set_tokens(csim_engine* engine, const uint32_t* counts) {
    for (int i = 0; i < 4; i++) engine->token(i)->fill(counts[i], 1);
}

void csim_soft_reset(csim_engine* engine) { engine->soft_reset(); }

void csim_clear_sram(csim_engine* engine) { engine->clear_sram(); }

}  // extern "C"

namespace {

template <class SramT>
uint64_t copy_out(const typename SramT::memory_t memory, uint8_t* data) {
    constexpr int bytes = SramT::element_t::bits / 8;
    if (data != nullptr) {
        for (int i = 0; i < SramT::depth; i++) {
            const typename SramT::element_t element = SramT::read(memory, i);
            for (int b = 0; b < bytes; b++) {
                *data++ = static_cast<uint8_t>(element.template lane<8>(b).to_int());
            }
        }
    }
    return static_cast<uint64_t>(SramT::depth) * bytes;
}

template <class SramT, class Random>
void randomise(typename SramT::memory_t memory, Random& random) {
    for (int i = 0; i < SramT::depth; i++) {
        typename SramT::element_t element;
        for (int b = 0; b < SramT::element_t::bits / 8; b++) {
            element.template set_lane<8>(b, ap_int<8>(static_cast<int>(random() & 255)));
        }
        SramT::write(memory, i, element);
    }
}

}  // namespace

extern "C" {

void csim_poison(csim_engine* engine, uint64_t seed) {
    std::mt19937_64 random(seed);
    randomise<UopSram>(engine->uop, random);
    randomise<InpSram>(engine->inp, random);
    randomise<WgtSram>(engine->wgt, random);
    randomise<AccSram>(engine->acc, random);
    randomise<OutSram>(engine->out, random);
}

uint64_t csim_read_sram(const csim_engine* engine, int32_t memory_type, uint8_t* data) {
    switch (static_cast<vta::MemType>(memory_type)) {
        case vta::MemType::UOP:
            return copy_out<UopSram>(engine->uop, data);
        case vta::MemType::WGT:
            return copy_out<WgtSram>(engine->wgt, data);
        case vta::MemType::INP:
            return copy_out<InpSram>(engine->inp, data);
        case vta::MemType::OUT:
            return copy_out<OutSram>(engine->out, data);
        default:
            return copy_out<AccSram>(engine->acc, data);
    }
}

}  // extern "C"
