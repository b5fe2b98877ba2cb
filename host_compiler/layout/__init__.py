"""From a placed graph to tasks on buffers: layouts, packing, in-place concatenation."""

from host_compiler.layout.build import build_tasks
from host_compiler.layout.tasks import Buffer, CpuTask, LayerTask, Role, Task, Tasks, View

__all__ = ["Buffer", "CpuTask", "LayerTask", "Role", "Task", "Tasks", "View", "build_tasks"]
