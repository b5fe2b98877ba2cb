"""The exceptions of the project: one class per decision that a caller can take."""

from __future__ import annotations

__all__ = [
    "AccessError",
    "AsmError",
    "BuildError",
    "CompileError",
    "ConfigError",
    "DeviceError",
    "DeviceTimeout",
    "EncodeError",
    "HardwareError",
    "IdentityError",
    "KernelError",
    "ProgramError",
    "ScheduleError",
    "ServerUnavailable",
    "ShapeError",
    "SimError",
    "VtaError",
]


class VtaError(Exception):
    """Base of every error that this project raises on purpose.

    The message reads `<where>: <what> must be <rule>, not <value>; <next step>`.
    """


class ConfigError(VtaError, ValueError):
    """A hardware configuration is impossible or not understood: choose another one."""


class EncodeError(VtaError, ValueError):
    """An instruction or micro-op field does not fit its format: change the program."""


class AsmError(VtaError, ValueError):
    """Assembler text is not understood: mend the line that the message names."""


class ProgramError(VtaError, ValueError):
    """A program file or case is damaged, truncated, hostile or foreign: get another copy."""


class KernelError(VtaError, ValueError):
    """A hand-written or generated kernel asks for what the hardware cannot do: change it."""


class CompileError(VtaError, ValueError):
    """A model is damaged, or holds what the compiler does not support: change the model."""


class ScheduleError(VtaError, ValueError):
    """A file of tuned schedules is damaged, foreign or of another version: use another file."""


class BuildError(VtaError):
    """A build of hardware failed: read the log or report that the message names."""


class ShapeError(VtaError, ValueError):
    """An array's shape or dtype differs from what the model declares: pass another array."""


class IdentityError(VtaError):
    """Program and hardware do not belong together: load the overlay that the program names."""


class SimError(VtaError):
    """A stream did what the hardware cannot do or does not define: mend the stream."""


class DeviceError(VtaError):
    """The device refused or failed; it has been reset and may be used again."""


class AccessError(DeviceError):
    """A server does not let this client in: mend token or certificates; retrying is of no use."""


class ServerUnavailable(DeviceError):
    """A server is away, busy or slow: make the overlay anew and try again, perhaps later."""


class HardwareError(DeviceError):
    """The hardware reported an error: mend the program, or load the overlay that it is for.

    `errors` names each module and its error bit, such as `("compute", "unknown_alu_op")`.
    """

    def __init__(self, message: str, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class DeviceTimeout(DeviceError, TimeoutError):
    """A step did not finish before its deadline; the device has been reset."""
