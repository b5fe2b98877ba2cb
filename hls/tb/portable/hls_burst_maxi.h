// `hls::burst_maxi` for compilers without the vendor's headers: what its documentation says
// (UG1399, "Using Manual Burst"), with every request checked. Copies are the same port.
#ifndef VTA_TB_HLS_BURST_MAXI_H
#define VTA_TB_HLS_BURST_MAXI_H

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <stdexcept>

namespace hls {

template <class T>
class burst_maxi {
 public:
    burst_maxi(T* memory) : port_(std::make_shared<Port>(memory)) {}

    void read_request(std::size_t offset, std::size_t length) {
        open(port_->reads, offset, length);
    }
    void write_request(std::size_t offset, std::size_t length) {
        open(port_->writes, offset, length);
    }
    T read() { return port_->memory[next(port_->reads).at]; }
    void write(const T& value) {
        const Beat beat = next(port_->writes);
        port_->memory[beat.at] = value;
        if (beat.last) port_->responses++;
    }
    void write_response() {
        if (port_->responses == 0) throw std::runtime_error("response to an unfinished request");
        port_->responses--;
    }

 private:
    struct Beat {
        std::size_t at;
        bool last;  // of its request
    };
    struct Port {
        T* memory;
        std::deque<Beat> reads, writes;
        std::size_t responses;

        explicit Port(T* beats) : memory(beats), responses(0) {}
        // The end of the call of a top; a destructor must not throw.
        ~Port() {
            if (reads.empty() && writes.empty() && responses == 0) return;
            std::fprintf(stderr, "burst_maxi: beats or responses were left over\n");
            std::abort();
        }
    };
    static void open(std::deque<Beat>& beats, std::size_t offset, std::size_t length) {
        if (length == 0) throw std::runtime_error("request without beats");
        for (std::size_t i = 0; i < length; i++) {
            beats.push_back(Beat{offset + i, i == length - 1});
        }
    }
    static Beat next(std::deque<Beat>& beats) {
        if (beats.empty()) throw std::runtime_error("beat that was not requested");
        const Beat beat = beats.front();
        beats.pop_front();
        return beat;
    }
    std::shared_ptr<Port> port_;
};

}  // namespace hls

#endif  // VTA_TB_HLS_BURST_MAXI_H
