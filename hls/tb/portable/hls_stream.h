// `hls::stream` for compilers without the vendor's headers: unbounded, for one thread.
#ifndef VTA_TB_HLS_STREAM_H
#define VTA_TB_HLS_STREAM_H

#include <deque>
#include <stdexcept>

namespace hls {

template <class T>
class stream {
 public:
    T read() {
        if (entries_.empty()) throw std::runtime_error("read of an empty stream");
        const T value = entries_.front();
        entries_.pop_front();
        return value;
    }
    bool read_nb(T& value) {
        // One thread: nobody could write while the caller waits.
        value = read();
        return true;
    }
    void write(const T& value) { entries_.push_back(value); }
    bool empty() const { return entries_.empty(); }

 private:
    std::deque<T> entries_;
};

}  // namespace hls

#endif  // VTA_TB_HLS_STREAM_H
