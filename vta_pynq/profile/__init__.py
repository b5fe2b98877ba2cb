"""Where a program's time goes: tables, pictures, traces.

`profile_run` times a program, kernel or stream; everything else is made of its result. Pictures
need matplotlib, which is loaded when the first one is made.
"""

from vta_pynq.profile.bars import bars_picture
from vta_pynq.profile.layers import REST, LayerProfile
from vta_pynq.profile.machine_picture import machine_picture
from vta_pynq.profile.occupancy import Occupancy, sram_occupancy
from vta_pynq.profile.occupancy_picture import occupancy_picture
from vta_pynq.profile.operators import OperatorTimes, accelerator_times, cpu_step_times
from vta_pynq.profile.picture import Picture
from vta_pynq.profile.roofline import roofline_picture
from vta_pynq.profile.roofs import BandwidthRoof, bandwidth_roofs
from vta_pynq.profile.run import Clock, ProfiledRun, profile_run
from vta_pynq.profile.table import layer_table, run_facts
from vta_pynq.profile.timeline_picture import timeline_picture
from vta_pynq.profile.trace import trace_events, write_trace

__all__ = [
    "REST",
    "BandwidthRoof",
    "Clock",
    "LayerProfile",
    "Occupancy",
    "OperatorTimes",
    "Picture",
    "ProfiledRun",
    "accelerator_times",
    "bandwidth_roofs",
    "bars_picture",
    "cpu_step_times",
    "layer_table",
    "machine_picture",
    "occupancy_picture",
    "profile_run",
    "roofline_picture",
    "run_facts",
    "sram_occupancy",
    "timeline_picture",
    "trace_events",
    "write_trace",
]
