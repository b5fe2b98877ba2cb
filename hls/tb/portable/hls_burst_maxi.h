// `hls::burst_maxi` for compilers without the vendor's headers: what its documentation says
// (UG1399, "Using Manual Burst"), with every request checked.
#ifndef VTA_TB_HLS_BURST_MAXI_H
#define VTA_TB_HLS_BURST_MAXI_H

#include <cstddef>
#include <deque>
#include <stdexcept>

namespace hls {

template <class T>
class burst_maxi {
 public:
    burst_maxi(T* memory) : memory_(memory), responses_(0) {}

    void read_request(std::size_t offset, std::size_t length) { open(reads_, offset, length); }
    void write_request(std::size_t offset, std::size_t length) { open(writes_, offset, length); }
    T read() { return memory_[next(reads_)]; }
    void write(const T& value) {
        memory_[next(writes_)] = value;
        if (writes_.empty() || writes_.front().first) responses_++;
    }
    void write_response() {
        if (responses_ == 0) throw std::runtime_error("response to a burst that is not complete");
        responses_--;
    }

 private:
    struct Beat {
        std::size_t at;
        bool first;
    };
    static void open(std::deque<Beat>& beats, std::size_t offset, std::size_t length) {
        if (length == 0) throw std::runtime_error("burst without beats");
        for (std::size_t i = 0; i < length; i++) beats.push_back(Beat{offset + i, i == 0});
    }
    static std::size_t next(std::deque<Beat>& beats) {
        if (beats.empty()) throw std::runtime_error("beat that was not requested");
        const std::size_t at = beats.front().at;
        beats.pop_front();
        return at;
    }
    T* memory_;
    std::deque<Beat> reads_, writes_;
    std::size_t responses_;
};

}  // namespace hls

#endif  // VTA_TB_HLS_BURST_MAXI_H
