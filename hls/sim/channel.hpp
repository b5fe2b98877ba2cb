// FIFOs of the simulation, with the part of `hls::stream`'s interface that the design uses.
#ifndef VTA_SIM_CHANNEL_HPP
#define VTA_SIM_CHANNEL_HPP

#include <cstddef>
#include <deque>
#include <stdexcept>

#include "scheduler.hpp"

namespace vta {
namespace sim {

// A FIFO between two modules, of the depth that the block design gives it. A read of an empty or a
// write to a full one blocks the module's thread.
template <class T>
class Channel : public Waitable {
 public:
    Channel(Kind kind, const char* name, std::size_t depth) : Waitable(kind, name), depth_(depth) {}
    Channel(const Channel&) = delete;

    bool ready(bool reading) const override {
        return reading ? !entries_.empty() : entries_.size() < depth_;
    }
    T read() {
        Scheduler& scheduler = *Scheduler::current();
        std::unique_lock<std::mutex> lock(scheduler.mutex);
        scheduler.await(*this, true, lock);
        const T value = entries_.front();
        entries_.pop_front();
        scheduler.notify();
        return value;
    }
    // Blocks as well: a simulation has no cycles that could be counted meanwhile.
    bool read_nb(T& value) {
        value = read();
        return true;
    }
    void write(const T& value) {
        Scheduler& scheduler = *Scheduler::current();
        std::unique_lock<std::mutex> lock(scheduler.mutex);
        scheduler.await(*this, false, lock);
        entries_.push_back(value);
        scheduler.notify();
    }
    // Between runs, when no thread uses it.
    std::size_t size() const { return entries_.size(); }
    void fill(std::size_t count, const T& value) { entries_.assign(count, value); }

 private:
    const std::size_t depth_;
    std::deque<T> entries_;
};

// A FIFO between two processes of one module, which run one after the other here.
template <class T>
class Link {
 public:
    static constexpr std::size_t most = std::size_t(1) << 24;

    T read() {
        if (entries_.empty()) throw std::runtime_error("read of an empty link");
        const T value = entries_.front();
        entries_.pop_front();
        return value;
    }
    void write(const T& value) {
        if (entries_.size() == most) throw std::runtime_error("loop is too long for a simulation");
        entries_.push_back(value);
    }
    ~Link() noexcept(false) {
        // Left over while the run unwinds is no fault of the design.
        if (!entries_.empty() && !std::uncaught_exception()) {
            throw std::runtime_error("entries left in a link");
        }
    }

 private:
    std::deque<T> entries_;
};

}  // namespace sim
}  // namespace vta

#endif  // VTA_SIM_CHANNEL_HPP
