// The threads of one run: who waits for what, and when nobody can go on.
//
// A run is at rest when fetch has ended and every other module waits for its next instruction; it
// is a deadlock when all wait and one of them for something else. Which of both is seen at once,
// because the last thread to wait looks at what the others wait for: no time-out is involved.
#ifndef VTA_SIM_SCHEDULER_HPP
#define VTA_SIM_SCHEDULER_HPP

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

namespace vta {
namespace sim {

enum class Outcome { RUNNING, REST, DEADLOCK, FAULT, TIMEOUT };

// Unwinds a module's thread when the run is over.
struct Stopped {};

// A channel as the scheduler sees it.
struct Waitable {
    enum class Kind { INSNS, TOKENS };
    Waitable(Kind k, std::string n) : kind(k), name(std::move(n)) {}
    virtual ~Waitable() {}
    virtual bool ready(bool reading) const = 0;
    const Kind kind;
    const std::string name;
};

class Scheduler {
 public:
    static constexpr int modules = 4;  // fetch, load, compute, store
    typedef std::chrono::steady_clock clock;

    struct Wait {
        const Waitable* channel = nullptr;
        bool reading = false;
    };

    std::mutex mutex;
    Wait waits[modules];
    Outcome outcome = Outcome::RUNNING;
    std::string fault;
    int fault_module = 0, fault_code = 0;

    void begin(double timeout_s) {
        for (Wait& wait : waits) wait = Wait();
        live_ = modules;
        outcome = Outcome::RUNNING;
        fault.clear();
        end_ = clock::now() + std::chrono::microseconds(static_cast<long long>(timeout_s * 1e6));
    }
    // Makes the calling thread the one of a module.
    void enter(int module) {
        current() = this;
        number() = module;
    }
    static Scheduler*& current() {
        static thread_local Scheduler* scheduler = nullptr;
        return scheduler;
    }
    static int& number() {
        static thread_local int module = 0;
        return module;
    }
    // A turn of a loop; notices the end of the run every now and then.
    static void step() {
        static thread_local unsigned turns = 0;
        Scheduler* scheduler = current();
        if (++turns % 1024 != 0 || scheduler == nullptr) return;
        std::unique_lock<std::mutex> lock(scheduler->mutex);
        scheduler->check();
    }
    // Waits, with the mutex held, until the channel can be read or written.
    void await(const Waitable& channel, bool reading, std::unique_lock<std::mutex>& lock) {
        if (channel.ready(reading)) return;
        Wait& wait = waits[number()];
        wait.channel = &channel;
        wait.reading = reading;
        settle();
        while (outcome == Outcome::RUNNING && !channel.ready(reading)) {
            if (changed_.wait_until(lock, end_) == std::cv_status::timeout) check();
        }
        if (outcome != Outcome::RUNNING) throw Stopped();
        wait.channel = nullptr;
    }
    void notify() { changed_.notify_all(); }
    // The calling thread has nothing more to do.
    void leave() {
        std::unique_lock<std::mutex> lock(mutex);
        live_--;
        settle();
    }
    void fail(const std::string& what, int code) {
        std::unique_lock<std::mutex> lock(mutex);
        if (outcome == Outcome::RUNNING) {
            fault = what;
            fault_module = number();
            fault_code = code;
            finish(Outcome::FAULT);
        }
    }

 private:
    void finish(Outcome how) {
        outcome = how;
        changed_.notify_all();
    }
    void check() {
        if (outcome == Outcome::RUNNING && clock::now() >= end_) finish(Outcome::TIMEOUT);
        if (outcome != Outcome::RUNNING) throw Stopped();
    }
    void settle() {
        if (outcome != Outcome::RUNNING) return;
        int waiting = 0;
        bool rest = true;
        for (const Wait& wait : waits) {
            if (wait.channel == nullptr) continue;
            if (wait.channel->ready(wait.reading)) return;  // about to wake up
            waiting++;
            rest = rest && wait.reading && wait.channel->kind == Waitable::Kind::INSNS;
        }
        if (waiting == live_) finish(rest ? Outcome::REST : Outcome::DEADLOCK);
    }

    std::condition_variable changed_;
    int live_ = 0;
    clock::time_point end_;
};

}  // namespace sim
}  // namespace vta

#endif  // VTA_SIM_SCHEDULER_HPP
