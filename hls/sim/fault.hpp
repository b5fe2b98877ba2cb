// Why a run ends early.
#ifndef VTA_SIM_FAULT_HPP
#define VTA_SIM_FAULT_HPP

#include <stdexcept>
#include <string>

#include "engine.h"

namespace vta {
namespace sim {

// `code` is one of CSIM_ACCESS, CSIM_READ_ONLY and CSIM_INTERNAL (engine.h).
struct Fault : std::runtime_error {
    Fault(int number, const std::string& what) : std::runtime_error(what), code(number) {}
    const int code;
};

}  // namespace sim
}  // namespace vta

#endif  // VTA_SIM_FAULT_HPP
